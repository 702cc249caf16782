"""The lines of a file, each with its place, read one at a time; a line of rubbish costs that line alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from trainer.data.collected import Collected
from trainer.data.problems import Unusable, shown
from trainer.errors import BadData

_BOM = b"\xef\xbb\xbf"


def numbered(path: Path, name: str | None = None) -> Iterator[tuple[str, bytes]]:
    """(place, line without its end) for every line; the place calls the file by `name`.

    Raises BadData if the file cannot be read.
    """
    name = name or path.name
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                kept = line.removeprefix(_BOM) if number == 1 else line
                yield f"{name}:{number}", kept.rstrip(b"\r\n")
    except OSError as error:
        raise BadData(f"{path} cannot be read ({error.strerror}): name another file") from error


def decoded(line: bytes) -> str:
    """The text of a line; raises Unusable if it is not UTF-8."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise Unusable(f"byte {error.start + 1} is not UTF-8") from error


def objects(path: Path, collected: Collected) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, object) for every line of JSON; any other line that is not blank becomes a problem."""
    for place, line in numbered(path):
        if not line.strip():
            continue
        found = None
        with collected.row(place):
            found = _object(line)
        if found is not None:
            yield place, found


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise Unusable(f"is not JSON: {error.msg}, column {error.colno}") from error
    if not isinstance(found, dict):
        raise Unusable(f"is {shown(found)}, where a JSON object is needed")
    return found
