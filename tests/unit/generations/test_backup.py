"""A backup ends, with what a start needs, and a restored folder has nothing of another corpus."""

import io
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.corpus.base import GenerationRecord
from service.corpus.memory.store import MemoryStore
from service.errors import Conflict, InvalidRequest, StorageFailed
from service.generations import backup
from service.machine.resources import Headroom
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


FORMER, ACTIVE = "former@1", "active@1"


@pytest.fixture
def saved(tmp_path: Path) -> DataFolder:
    """A folder with the checkpoints of a retained and of an active generation."""
    folder = DataFolder(tmp_path / "saved")
    for model in (FORMER, ACTIVE):
        (folder.checkpoints / model).mkdir(parents=True)
        for name in ("config.json", "model.safetensors"):
            (folder.checkpoints / model / name).write_text("{}")
    return folder


@pytest.fixture
def corpus() -> MemoryStore:
    store = MemoryStore(10)
    for model in (FORMER, ACTIVE):
        store.records.activate(
            GenerationRecord(model=model, fingerprint=model, dimensions=8, built=datetime.now(UTC)), 1
        )
    return store


def take(corpus: MemoryStore, folder: DataFolder) -> set[str]:
    """The checkpoints in a snapshot."""
    snapshot = backup.take(corpus, None, folder, Headroom(0, 0, folder.path))
    return {path.name for path in DataFolder(snapshot.folder).checkpoints.iterdir()}


def test_a_backup_has_the_checkpoints_of_all_generations_that_are_not_released(
    corpus: MemoryStore, saved: DataFolder
) -> None:
    assert take(corpus, saved) == {FORMER, ACTIVE}
    corpus.records.release(1)
    assert take(corpus, saved) == {ACTIVE}


def test_a_backup_goes_on_without_a_retained_generation_whose_checkpoint_is_gone(
    corpus: MemoryStore, saved: DataFolder, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(saved.checkpoints / FORMER)
    assert take(corpus, saved) == {ACTIVE}
    assert f"without the checkpoint {FORMER} of a retained generation" in caplog.text


def test_a_backup_without_the_active_checkpoint_is_refused(corpus: MemoryStore, saved: DataFolder) -> None:
    shutil.rmtree(saved.checkpoints / ACTIVE)
    with pytest.raises(StorageFailed, match=f"{ACTIVE} cannot be copied .* put its files back"):
        take(corpus, saved)
    assert {path.name for path in saved.path.iterdir()} == {"checkpoints"}


def test_a_backup_is_refused_if_a_checkpoint_is_there_and_cannot_be_copied(
    corpus: MemoryStore, saved: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: str, _: str) -> None:
        if FORMER in source:
            raise OSError("the disk fails")

    monkeypatch.setattr(os, "link", fail)
    with pytest.raises(StorageFailed, match=f"{FORMER} cannot be copied .*the disk fails"):
        take(corpus, saved)
    assert {path.name for path in saved.path.iterdir()} == {"checkpoints"}


@pytest.mark.parametrize("copied", [ACTIVE, FORMER])
def test_a_checkpoint_that_is_released_and_deleted_during_a_backup_is_not_in_it(
    corpus: MemoryStore, saved: DataFolder, monkeypatch: pytest.MonkeyPatch, copied: str
) -> None:
    link: Callable[[str, str], None] = os.link

    def delete_before(source: str, target: str) -> None:
        if copied in source and (saved.checkpoints / FORMER).exists():
            corpus.records.release(1)
            shutil.rmtree(saved.checkpoints / FORMER)
        link(source, target)

    monkeypatch.setattr(os, "link", delete_before)
    assert take(corpus, saved) == {ACTIVE}
