"""The lines of a file, each with its location, read one at a time. An unreadable line costs that line alone."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from trainer.data.collected import Collected
from trainer.data.problems import Unusable, shown
from trainer.errors import BadData

_BOM = b"\xef\xbb\xbf"


def numbered(path: Path, name: str | None = None) -> Iterator[tuple[str, bytes]]:
    """(location, line without its end) for every line. The location names the file `name` (default: its own name).

    Raises BadData if the file cannot be read.
    """
    name = name or path.name
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                text = line.removeprefix(_BOM) if number == 1 else line
                yield f"{name}:{number}", text.rstrip(b"\r\n")
    except OSError as error:
        raise BadData(f"{path} cannot be read ({error.strerror}): name another file") from error


def decoded(line: bytes) -> str:
    """The text of a line. Raises Unusable if it is not UTF-8."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise Unusable(f"byte {error.start + 1} is not UTF-8") from error


def objects(path: Path, collected: Collected) -> Iterator[tuple[str, dict[str, Any]]]:
    """(location, object) for every line of JSON, or every element of a file that is one JSON array.

    Anything else becomes a problem, except blank lines. Lines are read one at a time, an array as a whole.
    """
    array = _array(path)
    rows: Iterator[tuple[str, Any]]
    if array is None:
        rows = ((location, partial(_parsed, line)) for location, line in numbered(path) if line.strip())
    else:
        rows = ((f"{path.name}[{number}]", partial(_object, row)) for number, row in enumerate(array))
    for location, read in rows:
        row = None
        with collected.row(location):
            row = read()
        if row is not None:
            yield location, row


def _array(path: Path) -> list[Any] | None:
    """The elements of a file that is one JSON array, as exports often are. None: the file has lines."""
    begins = next((line.lstrip()[:1] for _, line in numbered(path) if line.strip()), b"")
    if begins != b"[":
        return None
    try:
        content = orjson.loads(path.read_bytes().removeprefix(_BOM))
    except orjson.JSONDecodeError:
        # The file has lines, and its first line is a list, which becomes a problem when it is read.
        return None
    return content if isinstance(content, list) else None


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise Unusable(f"is not JSON: {error.msg}, column {error.colno}") from error
    return _object(row)


def _object(row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise Unusable(f"is {shown(row)}, where a JSON object is needed")
    return row
