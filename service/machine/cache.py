"""Derived files that take long to make, kept on the disk: whatever is missing, damaged or of another make is made anew.

Each thing kept is a folder with a list of its files' checksums, and comes into its place in one step.
"""

import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.machine import files, huge_pages

log = logging.getLogger(__name__)

_LIST = "checksums.json"

_PART = 1 << 20

Make = Mapping[str, str | int | float]
Content = NDArray[np.uint8]


class Cache:
    """The things kept in `folder`, by name. `make` is what must be equal for one to be of use, such as versions."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def sweep(self) -> None:
        """Delete what a process that ended in the middle of writing has left."""
        files.sweep(self._folder)

    def find(self, name: str, make: Make) -> Path | None:
        """The folder of `name`, if it is whole and of that make."""
        place = self._folder / name
        return place if self._is_whole(place, make, files.checksum) else None

    def read(self, name: str, make: Make) -> dict[str, Content] | None:
        """The files of `name`, if it is whole and of that make; each is read once, and checked meanwhile."""
        contents: dict[str, Content] = {}

        def reading(path: Path) -> str:
            contents[path.name], checksum = _read(path)
            return checksum

        return contents if self._is_whole(self._folder / name, make, reading) else None

    def keep(self, name: str, make: Make, write: Callable[[Path], None]) -> Path | None:
        """Have `write` fill a folder, and put it in place of what was kept; None, with a warning, if the disk fails."""
        place = self._folder / name
        try:
            with files.new_folder(self._folder) as incoming:
                write(incoming)
                content = {"make": make, "files": _checksums(incoming, files.checksum)}
                (incoming / _LIST).write_text(json.dumps(content), encoding="utf-8")
                if place.exists():
                    shutil.rmtree(place)
                incoming.rename(place)
        # FAISS and OpenVINO raise RuntimeError when they cannot write.
        except (OSError, RuntimeError) as error:
            log.warning("%s is not kept, and the next start makes it anew: %s", place, error)
            return None
        return place

    def names(self) -> list[str]:
        """What is there, whole or not."""
        return [path.name for path in self._folder.iterdir() if not path.name.startswith(files.INCOMING)]

    def forget(self, name: str) -> None:
        """Delete it."""
        shutil.rmtree(self._folder / name)

    def _is_whole(self, place: Path, make: Make, checksum: Callable[[Path], str]) -> bool:
        try:
            listed = json.loads((place / _LIST).read_text(encoding="utf-8"))
            if listed["make"] != make:
                return False
            if listed["files"] == _checksums(place, checksum):
                return True
        except FileNotFoundError:
            return False
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s cannot be read (%s): it is made anew", place, error)
            return False
        log.warning("%s is damaged: it is made anew", place)
        return False


def _checksums(place: Path, checksum: Callable[[Path], str]) -> dict[str, str]:
    return {path.name: checksum(path) for path in sorted(place.iterdir()) if path.name != _LIST}


def _read(path: Path) -> tuple[Content, str]:
    """The content of a file, and its checksum."""
    digest = sha256()
    with path.open("rb", buffering=0) as file:
        content: Content = huge_pages.empty((os.fstat(file.fileno()).st_size,), np.uint8)
        filled = 0
        while read := file.readinto(content.data[filled : filled + _PART]):
            digest.update(content.data[filled : filled + read])
            filled += read
    return content, digest.hexdigest()
