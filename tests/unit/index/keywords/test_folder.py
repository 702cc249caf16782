"""The folder of the index of words is whole after whatever happens between a commit and the list of its files."""

import errno
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from service.errors import InsufficientResources, StorageFailed
from service.index.keywords import analysis
from service.index.keywords.folder import WordFolder
from service.index.keywords.fresh import Row
from service.machine import files


def rows(first: int, last: int) -> list[Row]:
    return [Row(seq, "default", ["kazu"]) for seq in range(first, last + 1)]


class Merging:
    """A writer whose merge writes a segment while the files are listed after the commit, and ends when waited for."""

    def __init__(self, writer: Any, segment: Path) -> None:
        self._writer = writer
        self._segment = segment

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def commit(self) -> None:
        self._writer.commit()
        self._segment.write_bytes(b"half")

    def wait_merging_threads(self) -> None:
        self._writer.wait_merging_threads()
        self._segment.write_bytes(b"half and whole")


def test_a_merge_under_way_costs_the_next_start_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = WordFolder(tmp_path)
    index: Any = folder._index

    class Index:
        def __getattr__(self, name: str) -> Any:
            return getattr(index, name)

        def writer(self, **options: int) -> Any:
            return Merging(index.writer(**options), tmp_path / f"{'a' * 32}.idx")

    folder._index = Index()  # type: ignore[assignment]
    folder.add(rows(1, 3), (), 0, 3)
    with caplog.at_level(logging.WARNING):
        assert WordFolder(tmp_path).sealed().complete_to == 3
    assert caplog.text == ""


def test_a_segment_that_a_merge_deletes_while_the_files_are_listed_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = WordFolder(tmp_path)
    listed = Path.iterdir

    def one_more(path: Path) -> Iterator[Path]:
        yield from listed(path)
        if path == tmp_path:
            for segment in {other.name.partition(".")[0] for other in listed(path) if len(other.stem) == 32}:
                yield path / f"{segment}.gone"

    monkeypatch.setattr(Path, "iterdir", one_more)
    assert folder.add(rows(1, 3), (), 0, 3).complete_to == 3


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Return what makes lists of checksums fail within a block."""

    @contextmanager
    def full() -> Iterator[None]:
        def fail(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(files, "replace_file", fail)
            yield

    return full


def test_a_list_that_fails_after_the_commit_leaves_no_words_twice(tmp_path: Path, full_disk: Callable[[], Any]) -> None:
    folder = WordFolder(tmp_path)
    folder.add(rows(1, 200), (), 0, 200)
    for _ in range(2):
        with full_disk(), pytest.raises(InsufficientResources, match="free some room"):
            folder.add(rows(201, 400), (), 200, 400)
    # One more entry is the mark.
    assert folder.add(rows(201, 400), (), 200, 400).live == 401
    assert sorted(WordFolder(tmp_path).sealed().seqs().tolist()) == list(range(1, 401))


def test_a_full_disk_ends_the_first_start_with_what_to_do(tmp_path: Path, full_disk: Callable[[], Any]) -> None:
    with full_disk(), pytest.raises(InsufficientResources, match="free some room"):
        WordFolder(tmp_path / "words")


def test_a_folder_that_cannot_be_read_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    WordFolder(tmp_path).add(rows(1, 3), (), 0, 3)

    def fail(_: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "iterdir", fail)
    with pytest.raises(StorageFailed, match="check the disk"):
        WordFolder(tmp_path)


def test_a_start_that_changes_nothing_writes_nothing(tmp_path: Path, full_disk: Callable[[], Any]) -> None:
    WordFolder(tmp_path).add(rows(1, 3), (), 0, 3)
    with full_disk():
        assert WordFolder(tmp_path).sealed().complete_to == 3


def test_a_folder_that_opens_and_cannot_be_searched_is_built_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    WordFolder(tmp_path).add(rows(1, 3), (), 0, 3)
    (positions,) = tmp_path.glob("*.pos")
    positions.unlink()
    with monkeypatch.context() as patched:
        patched.setattr(WordFolder, "_is_whole", lambda _: True)
        assert WordFolder(tmp_path).sealed().live == 0
    assert "built again" in caplog.text


def test_words_are_forgotten_where_the_folder_is_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere, path = tmp_path / "elsewhere", tmp_path / "words"
    elsewhere.mkdir()
    path.symlink_to(elsewhere)
    folder = WordFolder(path)
    folder.add(rows(1, 3), (), 0, 3)
    assert folder.erase().live == 0
    folder.add(rows(1, 3), (), 0, 3)
    monkeypatch.setattr(analysis, "VERSION", analysis.VERSION + 1)
    assert WordFolder(path).sealed().live == 0
    assert path.is_symlink()
