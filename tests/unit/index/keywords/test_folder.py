"""The folder of the index of words is whole after whatever happens between a commit and the list of its files."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from service.errors import InsufficientResources
from service.index.keywords.folder import WordFolder
from service.index.keywords.fresh import Row
from service.machine import files


def rows(first: int, last: int) -> list[Row]:
    return [Row(seq, "default", ["kazu"]) for seq in range(first, last + 1)]


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
