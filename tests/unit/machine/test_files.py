"""What the trainer writes comes into its place whole, with ordinary permissions, and no service sweeps it away."""

from collections.abc import Callable
from pathlib import Path

import pytest

from service.machine import files


class Cut(Exception):
    """The power is cut."""


def filled(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "a").write_text(text)
    (folder / "b").write_text(text)
    return folder


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_text("old")
    with files.replacing_file(path) as incoming:
        incoming.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_was_not_finished_replaces_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_text("old")

    def write() -> None:
        with files.replacing_file(path) as incoming:
            incoming.write_text("ne")
            raise Cut

    with pytest.raises(Cut):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_was_not_finished_leaves_nothing(tmp_path: Path) -> None:
    def fill() -> None:
        with files.folder_beside(tmp_path / "deep" / "set") as incoming:
            (incoming / "a").write_text("ne")
            raise Cut

    with pytest.raises(Cut):
        fill()
    assert list((tmp_path / "deep").iterdir()) == []


def test_the_next_call_deletes_what_a_crash_has_left(tmp_path: Path) -> None:
    with files.folder_beside(tmp_path / "set") as incoming:
        left = incoming
    filled(left, "of a run that was killed")
    with files.folder_beside(tmp_path / "set") as incoming:
        assert incoming == left
        assert list(incoming.iterdir()) == []


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_folder_is_replaced_as_a_whole_whenever_the_power_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    path, incoming = filled(tmp_path / "tuned", "old"), filled(tmp_path / "incoming", "new")
    rename: Callable[[Path, Path], Path] = Path.rename
    done: list[Path] = []

    def cut(source: Path, target: Path) -> Path:
        if len(done) == renames:
            raise Cut
        done.append(target)
        return rename(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", cut)
        if renames < 2:
            with pytest.raises(Cut):
                files.replace_folder(path, incoming)
        else:
            files.replace_folder(path, incoming)
    texts = [file.read_text() for file in sorted(path.iterdir())] if path.exists() else []
    assert texts == (["old", "old"], [], ["new", "new"])[renames]


def test_permissions_are_those_of_any_new_file_and_folder(tmp_path: Path) -> None:
    plain = filled(tmp_path / "plain", "x")
    with files.folder_beside(tmp_path / "set") as incoming:
        incoming.rename(tmp_path / "set")
    with files.replacing_file(tmp_path / "file") as incoming:
        incoming.write_text("x")
    assert (tmp_path / "set").stat().st_mode == plain.stat().st_mode
    assert (tmp_path / "file").stat().st_mode == (plain / "a").stat().st_mode


def test_a_service_that_starts_leaves_alone_what_a_trainer_is_writing(tmp_path: Path) -> None:
    with files.folder_beside(tmp_path / "tuned") as folder, files.replacing_file(tmp_path / "tuned.zip") as file:
        file.write_text("new")
        files.sweep(tmp_path)
        assert folder.is_dir()
        assert file.is_file()


def test_a_folder_is_emptied_that_cannot_be_deleted_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, linked = filled(tmp_path / "folder", "text"), filled(tmp_path / "linked", "text")
    filled(folder / "part", "text")
    (folder / "link").symlink_to(linked)
    (folder / "lost+found").mkdir()

    def refuse(path: Path) -> None:
        raise OSError(16, "it is a mount point", path)

    monkeypatch.setattr(Path, "rmdir", refuse)
    files.empty_folder(folder)
    assert list(folder.iterdir()) == [folder / "lost+found"]
    # A link in the folder goes, and what it leads to stays.
    assert len(list(linked.iterdir())) == 2
    monkeypatch.undo()
    files.empty_folder(linked)
    assert not linked.exists()
    files.empty_folder(linked)


def test_a_folder_in_which_anything_is_left_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = filled(tmp_path / "folder", "text")

    def refuse(path: Path) -> None:
        raise PermissionError(13, "it is protected", path)

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(PermissionError):
        files.empty_folder(folder)
