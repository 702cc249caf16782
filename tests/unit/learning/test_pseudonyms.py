"""Users and sessions become hashes that only the key in the data folder can make."""

from pathlib import Path

import pytest

from service.errors import StorageFailed
from service.learning.pseudonyms import Pseudonyms


def test_a_hash_is_the_same_with_the_same_key_and_tells_nothing_without(tmp_path: Path) -> None:
    path = tmp_path / "key"
    hashes = Pseudonyms(path)
    assert hashes.user("ann") == Pseudonyms(path).user("ann")
    assert (
        len({hashes.user("ann"), hashes.user("bob"), hashes.session("ann"), Pseudonyms(tmp_path / "b").user("ann")})
        == 4
    )
    assert len(hashes.user("ann")) == 32
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "no hex", "ab" * 31])
def test_a_damaged_key_is_refused_in_words(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key"
    path.write_text(content)
    with pytest.raises(StorageFailed, match="is not a key of hashes"):
        Pseudonyms(path).user("ann")
    assert path.read_text() == content


def test_no_key_is_made_in_place_of_one_that_made_hashes(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(StorageFailed, match=r"is gone.*restore it, or move learning.db away"):
        Pseudonyms(path, in_use=lambda: True).user("ann")
    assert not path.exists()
    kept = Pseudonyms(path, in_use=lambda: False).user("ann")
    assert Pseudonyms(path, in_use=lambda: True).user("ann") == kept


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="let this user write there"):
        Pseudonyms(tmp_path / "no such folder" / "key").user("ann")
