"""A changed byte is noticed, whichever version listed the checksum."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.machine import damage
from service.machine.cache import Cache

VERSION = {"made by": 1}


def write(folder: Path) -> None:
    (folder / "a").write_text("what took long")


def as_former_versions_list(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@settings(max_examples=50)
@given(content=st.binary(min_size=1, max_size=300), place=st.integers(0, 299), change=st.integers(1, 255))
def test_any_changed_byte_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, place: int, change: int
) -> None:
    path = tmp_path_factory.mktemp("damage") / "file"
    path.write_bytes(content)
    listed = damage.checksum(path), as_former_versions_list(path)
    assert all(damage.is_whole(path, each) for each in listed)
    changed = bytearray(content)
    changed[place % len(content)] ^= change
    path.write_bytes(changed)
    assert not any(damage.is_whole(path, each) for each in listed)


def test_an_entry_of_a_former_version_is_taken_unless_it_is_damaged(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    entry = cache.keep("entry", VERSION, write)
    assert entry is not None
    listing = entry / "checksums.json"
    former = as_former_versions_list(entry / "a")
    listing.write_text(listing.read_text().replace(damage.checksum(entry / "a"), former))
    assert former in listing.read_text()
    assert cache.find("entry", VERSION) == entry
    (entry / "a").write_text("what took lonk")
    assert cache.find("entry", VERSION) is None


def test_a_file_that_nobody_listed_or_that_is_gone_makes_an_entry_damaged(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    entry = cache.keep("entry", VERSION, write)
    assert entry is not None
    (entry / "b").write_text("more")
    assert cache.find("entry", VERSION) is None
    (entry / "b").rename(entry / "a")
    assert cache.find("entry", VERSION) is None
    (entry / "a").unlink()
    assert cache.find("entry", VERSION) is None
