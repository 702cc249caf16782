"""An argument of the command: the files that it has now, and what in it cannot be read."""

import os
import stat
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from errno import ELOOP
from pathlib import Path

from instar.client.errors import InstarError
from instar.loading.reading import SUFFIXES


class Mistaken(InstarError):
    """A load would not do what is meant. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class File:
    """A file that is loaded, its name as the source of passages, its bytes, and when it was changed, in nanoseconds."""

    path: Path
    source: str
    size: int
    changed: int


@dataclass(frozen=True, slots=True)
class Unread:
    """A file or a folder that is not read, and the reason. The passages that are stored of it stay."""

    path: Path
    source: str
    reason: str

    def __str__(self) -> str:
        """Say it to people, to whom a byte that is in no UTF-8 is a sign that stands for it."""
        return f"{os.fsencode(self.path).decode(errors='replace')}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of an origin at one moment, in the order of their paths. Equal ones say that nothing has changed."""

    files: tuple[File, ...]
    unread: tuple[Unread, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """A folder or a file, and the name by which its passages are known as its own."""

    name: str
    path: Path

    @classmethod
    def of(cls, path: Path, name: str | None = None) -> "Origin":
        """The origin of a path. Raises Mistaken if there is nothing, or nothing that can be its name."""
        # Unlike those of Path, this answers for a folder that may not be entered, too.
        if not os.path.lexists(path):
            raise _absent(path)
        try:
            path.stat()
        except OSError as error:
            if error.errno == ELOOP:
                raise Mistaken(f"{path} is a link that leads to itself: name a folder or a file") from error
        name = name or path.resolve().name
        if not _is_text(name):
            raise Mistaken(f"{os.fsencode(path)!r} has a name that is not in UTF-8: give it another one by --name")
        return cls(name, path)

    def listing(self) -> Listing:
        """The files that are there now. Raises Mistaken if the folder or the file is gone."""
        if os.path.isdir(self.path):  # noqa: PTH112
            return _Walk(self).listing()
        try:
            return Listing((_file(self.path, self.name, self.path.stat()),))
        except FileNotFoundError as error:
            raise _absent(self.path) from error
        except OSError as error:
            return Listing((), (Unread(self.path, self.name, _reason(error)),))


class _Walk:
    """Goes through a folder. Links to other folders are followed, and each of these is read once.

    What begins with a dot is left out, and so is what was removed meanwhile.
    """

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._files: list[File] = []
        self._unread: list[Unread] = []
        self._links: list[tuple[Path, os.stat_result]] = []
        self._walked: set[tuple[int, int]] = set()

    def listing(self) -> Listing:
        root = self._origin.path
        try:
            self._folder(root, root.stat())
        except OSError as error:
            self._fail(root, error)
        # A folder that is read anyway is read where it lies, so links are followed after all others.
        while self._links:
            path, state = self._links.pop(0)
            target, here = path.resolve(), path.parent.resolve()
            if target == here or target in here.parents:
                self._refuse(path, "it leads back to a folder that it is in: load that one, or remove the link")
            else:
                self._folder(path, state)
        return Listing(tuple(sorted(self._files, key=lambda file: file.path)), tuple(self._unread))

    def _folder(self, folder: Path, state: os.stat_result) -> None:
        if (state.st_dev, state.st_ino) in self._walked:
            return
        self._walked.add((state.st_dev, state.st_ino))
        try:
            with os.scandir(folder) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
        except OSError as error:
            self._fail(folder, error)
            return
        for entry in entries:
            if not entry.name.startswith("."):
                path = folder / entry.name
                try:
                    self._entry(entry, path)
                except OSError as error:
                    self._fail(path, error)

    def _entry(self, entry: os.DirEntry[str], path: Path) -> None:
        is_folder, is_read = entry.is_dir(follow_symlinks=False), path.suffix.lower() in SUFFIXES
        if not (is_folder or is_read or entry.is_symlink()):
            return
        if not _is_text(entry.name):
            self._refuse(path, "its name is not in UTF-8: rename it")
        elif is_folder:
            # On Windows the entry itself does not know the numbers by which a folder is told from others.
            self._folder(path, os.lstat(path))
        else:
            state = path.stat()
            if stat.S_ISDIR(state.st_mode):
                self._links.append((path, state))
            elif stat.S_ISREG(state.st_mode) and is_read:
                self._files.append(_file(path, self._source(path), state))

    def _fail(self, path: Path, error: OSError) -> None:
        # One that was removed meanwhile is none. A link that leads nowhere may lead to a disk that is away.
        if os.path.lexists(path):
            self._refuse(path, _reason(error))

    def _refuse(self, path: Path, reason: str) -> None:
        self._unread.append(Unread(path, self._source(path), reason))

    def _source(self, path: Path) -> str:
        below = path.relative_to(self._origin.path)
        return f"{self._origin.name}/{below.as_posix()}" if below.parts else self._origin.name


def is_below(source: str, sources: AbstractSet[str]) -> bool:
    """Whether a source is one of these, or lies below one."""
    parts = source.split("/")
    return any("/".join(parts[:number]) in sources for number in range(1, len(parts) + 1))


def _file(path: Path, source: str, state: os.stat_result) -> File:
    # The second time is that of another file's move to this name, or of other permissions.
    return File(path, source, state.st_size, max(state.st_mtime_ns, state.st_ctime_ns))


def _is_text(name: str) -> bool:
    """Whether a name of a file is in UTF-8. Python has other bytes as halves of characters."""
    return not any("\ud800" <= sign <= "\udfff" for sign in name)


def _reason(error: OSError) -> str:
    return f"it cannot be read ({error.strerror}): let this user read it, or remove it"


def _absent(path: Path) -> Mistaken:
    return Mistaken(f"{path} is not there: name a folder or a file")
