"""A disk cache for derived files that take long to make.

An entry is a folder with a version and a list of its files' checksums, and comes into its place in one step. An entry
that is missing, damaged or of another version is made again.
"""

import json
import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.machine import damage, files

log = logging.getLogger(__name__)

_LIST = "checksums.json"

# Everything that must be equal for an entry to be of use, such as the versions of libraries.
CacheVersion = Mapping[str, str | int | float]
# The bytes of a file, uint8, which may lie on the disk.
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
        return folder if self._is_whole(folder, version) else None

    def map(self, name: str, version: CacheVersion) -> dict[str, Content] | None:
        """The files of the entry by name, mapped into memory; None unless its checksums and version match.

        What is mapped stays as it is if the entry is replaced or deleted.
        """
        folder = self.find(name, version)
        try:
            return None if folder is None else {path.name: _map(path) for path in _listed(folder)}
        except OSError as error:
            log.warning("%s cannot be read (%s): it is made again", folder, error)
            return None

    def keep(self, name: str, version: CacheVersion, write: Callable[[Path], None]) -> Path | None:
        """Have `write` fill a folder, and replace the entry by it; None, with a warning, if the disk fails."""
        folder = self._folder / name
        try:
            with files.new_folder(self._folder) as incoming, files.new_folder(self._folder) as outgoing:
                write(incoming)
                content = {"make": version, "files": _checksums(incoming)}
                (incoming / _LIST).write_text(json.dumps(content), encoding="utf-8")
                files.flush(incoming)
                # To delete a large entry takes long, and a process can be killed in that time.
                is_replaced = folder.exists()
                if is_replaced:
                    folder.rename(outgoing)
                try:
                    incoming.rename(folder)
                except OSError:
                    if is_replaced:
                        outgoing.rename(folder)
                    raise
        # FAISS and OpenVINO raise RuntimeError when they cannot write.
        except (OSError, RuntimeError) as error:
            log.warning("%s cannot be stored (%s): check the disk; the next start makes it again", folder, error)
            return None
        return folder

    def names(self) -> list[str]:
        """The names of all entries, whole or damaged."""
        return [
            path.name
            for path in self._folder.iterdir()
            if path.is_dir() and path.name != files.OF_FILE_SYSTEM and not path.name.startswith(files.INCOMING)
        ]

    def forget(self, name: str) -> None:
        """Delete the entry."""
        shutil.rmtree(self._folder / name)

    def _is_whole(self, folder: Path, version: CacheVersion) -> bool:
        try:
            listed = json.loads((folder / _LIST).read_text(encoding="utf-8"))
            if listed["make"] != version:
                return False
            checksums = listed["files"]
            paths = _listed(folder)
            if [path.name for path in paths] == sorted(checksums) and all(
                damage.is_whole(path, checksums[path.name]) for path in paths
            ):
                return True
        except FileNotFoundError:
            return False
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s cannot be read (%s): it is made again", folder, error)
            return False
        log.warning("%s is damaged: it is made again", folder)
        return False


def _checksums(folder: Path) -> dict[str, str]:
    return {path.name: damage.checksum(path) for path in _listed(folder)}


def _listed(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name != _LIST)


def _map(path: Path) -> Content:
    """The content of a file. The kernel reads what is looked at, and may let go of it again."""
    # An empty file cannot be mapped.
    if not path.stat().st_size:
        return np.empty(0, np.uint8)
    content: Content = np.memmap(path, np.uint8, "r")
    return content
