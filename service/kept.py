"""Derived files that take long to make, kept on the disk: whatever is missing, damaged or of another make is made anew.

Each thing kept is a folder with a list of its files' checksums, and comes into its place in one step.
"""

import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

log = logging.getLogger(__name__)

_INCOMING = ".incoming-"
_LIST = "checksums.json"

Make = Mapping[str, str | int | float]


class Kept:
    """The things kept in `folder`, by name. `make` is what must be equal for one to be of use, such as versions."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for rest in folder.glob(f"{_INCOMING}*"):
            shutil.rmtree(rest)

    def find(self, name: str, make: Make) -> Path | None:
        """The folder of `name`, if it is whole and of that make."""
        place = self._folder / name
        try:
            listed = json.loads((place / _LIST).read_text(encoding="utf-8"))
            if listed["make"] != make:
                return None
            if listed["files"] == _checksums(place):
                return place
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s cannot be read (%s): it is made anew", place, error)
            return None
        log.warning("%s is damaged: it is made anew", place)
        return None

    def keep(self, name: str, make: Make, write: Callable[[Path], None]) -> Path | None:
        """Have `write` fill a folder, and put it in place of what was kept; None, with a warning, if the disk fails."""
        place = self._folder / name
        incoming = Path(tempfile.mkdtemp(prefix=_INCOMING, dir=self._folder))
        try:
            write(incoming)
            content = {"make": make, "files": _checksums(incoming)}
            (incoming / _LIST).write_text(json.dumps(content), encoding="utf-8")
            if place.exists():
                shutil.rmtree(place)
            incoming.rename(place)
        # FAISS and OpenVINO raise RuntimeError when they cannot write.
        except (OSError, RuntimeError) as error:
            log.warning("%s is not kept, and the next start makes it anew: %s", place, error)
            return None
        finally:
            shutil.rmtree(incoming, ignore_errors=True)
        return place

    def names(self) -> list[str]:
        """What is there, whole or not."""
        return [path.name for path in self._folder.iterdir() if not path.name.startswith(_INCOMING)]

    def forget(self, name: str) -> None:
        """Delete it."""
        shutil.rmtree(self._folder / name)


def _checksums(place: Path) -> dict[str, str]:
    sums = {}
    for path in sorted(place.iterdir()):
        if path.name != _LIST:
            digest = sha256()
            with path.open("rb") as file:
                while part := file.read(1 << 20):
                    digest.update(part)
            sums[path.name] = digest.hexdigest()
    return sums
