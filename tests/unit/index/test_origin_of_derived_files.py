"""Graphs, words and maps of another corpus are gone before a service trusts them, or it does not start."""

from pathlib import Path
from uuid import uuid4

import pytest

from service.errors import StorageFailed
from service.index.origin import require_origin
from service.settings.data_folder import DataFolder


def test_a_start_on_another_corpus_deletes_what_was_derived(tmp_path: Path) -> None:
    folder, store = DataFolder(tmp_path), uuid4()
    derived = (folder.graphs, folder.words, folder.maps)
    for each in derived:
        each.mkdir()
    require_origin(folder, store)
    assert not any(map(Path.exists, derived))
    for each in derived:
        each.mkdir()
    require_origin(folder, store)
    assert all(map(Path.exists, derived))


def test_what_cannot_be_deleted_ends_each_start_until_it_is_gone(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    # Nobody deletes what is in a file, not even root.
    folder.words.write_text("no folder")
    store = uuid4()
    for _ in range(2):
        with pytest.raises(StorageFailed, match="delete it, then try again"):
            require_origin(folder, store)
    folder.words.unlink()
    require_origin(folder, store)


def test_a_link_stays_and_what_it_leads_to_is_emptied(tmp_path: Path) -> None:
    folder, elsewhere = DataFolder(tmp_path / "data"), tmp_path / "elsewhere"
    (elsewhere / "part").mkdir(parents=True)
    (elsewhere / "part" / "file").touch()
    folder.path.mkdir()
    folder.graphs.symlink_to(elsewhere)
    require_origin(folder, uuid4())
    assert folder.graphs.is_symlink()
    assert list(elsewhere.iterdir()) == []
