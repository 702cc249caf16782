"""A restored folder has nothing that was derived from another corpus."""

import io
from pathlib import Path

import pytest

from service.errors import InvalidRequest
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
