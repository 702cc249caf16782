"""A listing names what cannot be read beside what can, whatever the names, the permissions and the links are."""

import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from instar.loading.origin import Listing, Mistaken, Origin, is_below


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "docs" / "guide").mkdir(parents=True)
    (tmp_path / "docs" / "index.md").write_text("One.")
    (tmp_path / "docs" / "guide" / "start.md").write_text("Two.")
    return tmp_path / "docs"


def sources(listing: Listing) -> list[str]:
    return [file.source for file in listing.files]


def refuse(folder: Path, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of the system, as a user meets it who may not do it in the folder."""

    def refusing(path: Any, *arguments: Any, **options: Any) -> Any:
        if Path(path) == folder or folder in Path(path).parents:
            raise PermissionError(13, "Permission denied", str(path))
        return function(path, *arguments, **options)

    return refusing


def test_a_folder_that_cannot_be_opened_is_named_and_covers_what_is_below(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "scandir", refuse(folder / "guide", os.scandir))
    listing = Origin.of(folder).listing()
    assert sources(listing) == ["docs/index.md"]
    (unread,) = listing.unread
    assert unread.path == folder / "guide"
    assert "Permission denied" in unread.reason
    assert is_below("docs/guide/start.md", {unread.source})
    assert is_below("docs/guide", {unread.source})
    assert not is_below("docs/guide.md", {unread.source})


def test_files_that_cannot_be_looked_at_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of mode 444 lists its files, and nothing more can be known of them."""
    monkeypatch.setattr(Path, "stat", refuse(folder / "guide", Path.stat))
    listing = Origin.of(folder).listing()
    assert sources(listing) == ["docs/index.md"]
    assert [unread.source for unread in listing.unread] == ["docs/guide/start.md"]


class NumberlessEntry:
    """An entry of a folder on Windows, which says 0 for the numbers of its file."""

    def __init__(self, entry: os.DirEntry[str]) -> None:
        self.name, self.is_dir, self.is_symlink = entry.name, entry.is_dir, entry.is_symlink

    def stat(self, **_: bool) -> os.stat_result:
        return os.stat_result([0] * 10)


def test_folders_are_told_from_each_other_where_entries_do_not_know_their_numbers(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "other").mkdir()
    (folder / "other" / "page.md").write_text("Three.")
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: nullcontext(map(NumberlessEntry, scandir(path))))
    assert sources(Origin.of(folder).listing()) == ["docs/guide/start.md", "docs/index.md", "docs/other/page.md"]


def test_a_whole_folder_that_cannot_be_opened_covers_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "scandir", refuse(folder, os.scandir))
    (unread,) = Origin.of(folder).listing().unread
    assert is_below("docs/index.md", {unread.source})


def test_names_that_are_not_in_utf_8_are_told_and_stop_no_other(folder: Path) -> None:
    Path(os.fsdecode(bytes(folder) + b"/caf\xe9.md")).write_text("Three.")
    Path(os.fsdecode(bytes(folder) + b"/caf\xe9.png")).write_text("no document")
    Path(os.fsdecode(bytes(folder) + b"/d\xe9p\xf4t")).mkdir()
    listing = Origin.of(folder).listing()
    assert sources(listing) == ["docs/guide/start.md", "docs/index.md"]
    said = sorted(map(str, listing.unread))
    assert said == [
        f"{folder}/caf\ufffd.md: its name is not in UTF-8: rename it",
        f"{folder}/d\ufffdp\ufffdt: its name is not in UTF-8: rename it",
    ]


def test_an_origin_whose_name_is_not_in_utf_8_needs_another(folder: Path) -> None:
    path = Path(os.fsdecode(bytes(folder) + b"/caf\xe9.md"))
    path.write_text("Three.")
    with pytest.raises(Mistaken, match="--name"):
        Origin.of(path)
    assert sources(Origin.of(path, "coffee").listing()) == ["coffee"]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "more.md").write_text("Four.")
    return tmp_path / "elsewhere"


def test_a_link_to_another_folder_is_followed(folder: Path, elsewhere: Path) -> None:
    (folder / "more").symlink_to(elsewhere)
    (elsewhere / "itself").symlink_to(elsewhere)
    listing = Origin.of(folder).listing()
    assert sources(listing) == ["docs/guide/start.md", "docs/index.md", "docs/more/more.md"]
    assert [(unread.path, unread.source) for unread in listing.unread] == [
        (folder / "more" / "itself", "docs/more/itself")
    ]


def test_a_folder_with_a_link_to_it_is_read_once_and_where_it_lies(folder: Path) -> None:
    (folder / "begin").symlink_to(folder / "guide")
    listing = Origin.of(folder).listing()
    assert sources(listing) == ["docs/guide/start.md", "docs/index.md"]
    assert not listing.unread


@pytest.mark.parametrize(("inner", "outer"), [("a", "b"), ("b", "a")])
def test_a_folder_is_read_once_whatever_links_to_it_and_what_is_above_are_called(
    folder: Path, elsewhere: Path, inner: str, outer: str
) -> None:
    (elsewhere / "part").mkdir()
    (elsewhere / "part" / "page.md").write_text("Six.")
    (folder / inner).symlink_to(elsewhere / "part")
    (folder / outer).symlink_to(elsewhere)
    listing = Origin.of(folder).listing()
    assert sorted(file.path.name for file in listing.files) == ["index.md", "more.md", "page.md", "start.md"]
    assert not listing.unread


def test_a_link_to_a_folder_that_is_hidden_here_is_followed(folder: Path) -> None:
    """Tools that put checkouts in place do it like this."""
    (folder / ".checkout").mkdir()
    (folder / ".checkout" / "now.md").write_text("Five.")
    (folder / "current").symlink_to(folder / ".checkout")
    assert sources(Origin.of(folder).listing()) == ["docs/current/now.md", "docs/guide/start.md", "docs/index.md"]


@pytest.mark.parametrize("target", [".", "..", "nowhere"])
def test_a_link_that_leads_back_or_nowhere_is_named(folder: Path, target: str) -> None:
    (folder / "guide" / "link").symlink_to(target)
    listing = Origin.of(folder).listing()
    assert sources(listing) == ["docs/guide/start.md", "docs/index.md"]
    assert [unread.source for unread in listing.unread] == ["docs/guide/link"]


def test_a_file_that_is_removed_meanwhile_is_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = Path.stat

    def vanishing(path: Path, **options: bool) -> os.stat_result:
        if path.name == "start.md":
            path.unlink(missing_ok=True)
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", vanishing)
    listing = Origin.of(folder).listing()
    assert sources(listing) == ["docs/index.md"]
    assert not listing.unread


def changes(folder: Path) -> Iterator[Callable[[], object]]:
    index, other = folder / "index.md", folder / "other"
    yield lambda: index.write_text("Other words.")
    yield lambda: (other.write_text("Words from elsewhere."), other.replace(index))
    yield lambda: index.rename(folder / "first.md")
    yield (folder / "guide" / "start.md").unlink
    yield lambda: (folder / "new.md").write_text("")


@pytest.mark.parametrize("number", range(5))
def test_two_listings_are_equal_until_something_changes(folder: Path, number: int) -> None:
    before = Origin.of(folder).listing()
    assert Origin.of(folder).listing() == before
    list(changes(folder))[number]()
    assert Origin.of(folder).listing() != before
