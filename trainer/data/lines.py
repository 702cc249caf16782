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
_JSON = {".json", ".jsonl", ".ndjson"}


def json_files(path: Path) -> list[Path]:
    """The file, or all files of JSON in the folder and below. Raises BadData if there is none."""
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in _JSON and file.is_file())
    if not files:
        raise BadData(f"{path} has no file that ends in {', '.join(sorted(_JSON))}: give the folder of an export")
    return files


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
    """(location, object) for every line of JSON, or every element of a file that is one JSON array or one object.

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


def parsed(stored: Any) -> Any:
    """The value of a JSON column, which some exports write as a string. Raises Unusable if that is half of JSON."""
    if isinstance(stored, str) and stored.lstrip()[:1] in {"{", "[", '"', "n"}:
        try:
            return orjson.loads(stored)
        except orjson.JSONDecodeError as error:
            raise Unusable(f"{shown(stored)} is not JSON: {error.msg}") from error
    return stored


def _array(path: Path) -> list[Any] | None:
    """The elements of a file that is one JSON array, as exports often are, or one object. None: the file has lines."""
    beginning = next((line.lstrip() for _, line in numbered(path) if line.strip()), b"")
    if beginning[:1] != b"[" and not _is_cut_object(beginning):
        return None
    try:
        content = orjson.loads(path.read_bytes().removeprefix(_BOM))
    except orjson.JSONDecodeError:
        # The file has lines, and its first line is a list or half an object, which becomes a problem when it is read.
        return None
    return content if isinstance(content, list) else [content]


def _is_cut_object(line: bytes) -> bool:
    """Whether an object begins in the line and does not end there, as one that is indented."""
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return line[:1] == b"{"
    return False


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
