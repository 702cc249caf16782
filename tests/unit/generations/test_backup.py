"""A restored folder has nothing of another corpus."""

import io
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from service.errors import Conflict, InvalidRequest
from service.generations import backup
from service.settings.data_folder import DataFolder


@pytest.fixture
def archive(tmp_path: Path) -> bytes:
    source = DataFolder(tmp_path / "source")
    checkpoint = source.checkpoints / "one@1"
    checkpoint.mkdir(parents=True)
    (checkpoint / "config.json").write_text("{}")
    source.corpus.write_text("the corpus")
    return b"".join(backup.Snapshot(source.path).stream())


def restore(archive: bytes, folder: DataFolder) -> None:
    backup.restore(io.BytesIO(archive), folder, lambda _: None)


def test_words_and_graphs_of_another_corpus_do_not_outlive_a_restore(archive: bytes, tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "restored")
    for derived in (folder.words, folder.graphs / "one-default"):
        derived.mkdir(parents=True)
        (derived / "checksums.json").write_text("{}")
    with pytest.raises(InvalidRequest):
        restore(archive[: len(archive) // 2], folder)
    # A backup that is refused changes nothing.
    assert folder.words.exists()
    assert folder.graphs.exists()
    restore(archive, folder)
    assert folder.corpus.read_text() == "the corpus"
    assert {path.name for path in folder.path.iterdir()} == {"lock", "checkpoints", "corpus.db"}


@pytest.mark.parametrize("name", ["corpus.db", "learning.db"])
@pytest.mark.parametrize("sidecar", ["-wal", "-shm", "-journal"])
def test_what_sqlite_left_beside_another_database_is_refused_and_kept(
    archive: bytes, tmp_path: Path, name: str, sidecar: str
) -> None:
    folder = DataFolder(tmp_path / "restored")
    folder.path.mkdir()
    left = folder.path / f"{name}{sidecar}"
    left.write_text("writes of another corpus")
    with pytest.raises(Conflict, match=f"{left} exists: move it away"):
        restore(archive, folder)
    (folder.path / name).write_text("another corpus")
    with pytest.raises(Conflict, match=f"{name}, {left} exist: move them away together"):
        restore(archive, folder)
    assert left.read_text() == "writes of another corpus"
    assert {path.name for path in folder.path.iterdir()} == {"lock", name, left.name}


def test_sqlite_keeps_nothing_beside_a_database_under_a_name_that_is_not_looked_for(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    with closing(sqlite3.connect(folder.corpus)) as connection:
        beside = set[Path]()
        for number, mode in enumerate(("delete", "wal")):
            connection.execute(f"PRAGMA journal_mode = {mode}")
            connection.execute("BEGIN")
            connection.execute(f"CREATE TABLE written{number} (content)")
            beside |= set(tmp_path.iterdir())
            connection.commit()
    assert beside <= set(folder.stores())
    assert len(beside) == 4
