"""A disk cache for derived files that take long to make.

An entry is a folder with a version and a list of its files' checksums, and comes into its place in one step. An entry
that is missing, damaged or of another version is made again.
"""

import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Set
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.machine import files, huge_pages

log = logging.getLogger(__name__)

_LIST = "checksums.json"
# Bytes that are read and hashed at a time.
_CHUNK = 1 << 20

# Everything that must be equal for an entry to be of use, such as the versions of libraries.
CacheVersion = Mapping[str, str | int | float]
# The bytes of a file, uint8.
Content = NDArray[np.uint8]


class Cache:
    """The entries in `folder`, by name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def sweep(self) -> None:
        """Delete the leftovers of a process that ended in the middle of writing."""
        files.sweep(self._folder)

    def find(self, name: str, version: CacheVersion) -> Path | None:
        """The folder of the entry; None unless its checksums and version match."""
        folder = self._folder / name
        return folder if self._is_whole(folder, version, files.checksum) else None

    def read(self, name: str, version: CacheVersion, mapped: Set[str] = frozenset()) -> dict[str, Content] | None:
        """The files of the entry by name; None unless its checksums and version match.

        Each file is read once, and checked while it is read. Those that are `mapped` stay on the disk: they take no
        memory but what the system has to spare, also when the entry is replaced.
        """
        contents: dict[str, Content] = {}

        def collect(path: Path) -> str:
            if path.name in mapped:
                contents[path.name] = np.memmap(path, np.uint8, "r")
                return files.checksum(path)
            contents[path.name], checksum = _read(path)
            return checksum

        return contents if self._is_whole(self._folder / name, version, collect) else None

    def keep(self, name: str, version: CacheVersion, write: Callable[[Path], None]) -> Path | None:
        """Have `write` fill a folder, and replace the entry by it; None, with a warning, if the disk fails."""
        folder = self._folder / name
        try:
            with files.new_folder(self._folder) as incoming:
                write(incoming)
                content = {"make": version, "files": _checksums(incoming, files.checksum)}
                (incoming / _LIST).write_text(json.dumps(content), encoding="utf-8")
                if folder.exists():
                    shutil.rmtree(folder)
                incoming.rename(folder)
        # FAISS and OpenVINO raise RuntimeError when they cannot write.
        except (OSError, RuntimeError) as error:
            log.warning("%s cannot be stored (%s): check the disk; the next start makes it again", folder, error)
            return None
        return folder

    def names(self) -> list[str]:
        """The names of all entries, whole or damaged."""
        return [path.name for path in self._folder.iterdir() if not path.name.startswith(files.INCOMING)]

    def forget(self, name: str) -> None:
        """Delete the entry."""
        shutil.rmtree(self._folder / name)

    def _is_whole(self, folder: Path, version: CacheVersion, checksum: Callable[[Path], str]) -> bool:
        try:
            listed = json.loads((folder / _LIST).read_text(encoding="utf-8"))
            if listed["make"] != version:
                return False
            if listed["files"] == _checksums(folder, checksum):
                return True
        except FileNotFoundError:
            return False
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s cannot be read (%s): it is made again", folder, error)
            return False
        log.warning("%s is damaged: it is made again", folder)
        return False


def _checksums(folder: Path, checksum: Callable[[Path], str]) -> dict[str, str]:
    return {path.name: checksum(path) for path in sorted(folder.iterdir()) if path.name != _LIST}


def _read(path: Path) -> tuple[Content, str]:
    """The content of a file, and its checksum."""
    digest = sha256()
    with path.open("rb", buffering=0) as file:
        content: Content = huge_pages.empty((os.fstat(file.fileno()).st_size,), np.uint8)
        filled = 0
        while read := file.readinto(content.data[filled : filled + _CHUNK]):
            digest.update(content.data[filled : filled + read])
            filled += read
    return content, digest.hexdigest()
