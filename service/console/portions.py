"""Portions of a JSONL or CSV file: lines that become documents, each with the number of its line."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from service.console.public_api import ApiError

_NUMBER = re.compile(r"-?(0|[1-9]\d{0,15})(\.\d{1,15})?")
_FIELD = re.compile(r"documents\.(\d+)(?:\.(\w+))?")
_DELIMITERS = (",", ";", "\t")


class LineError(Exception):
    """A line of the file cannot become a document."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass(frozen=True, slots=True)
class Portion:
    """Documents as the API takes them, and the line of the file at which each begins."""

    documents: list[dict[str, Any]]
    lines: list[int]

    def blame(self, error: ApiError) -> LineError | None:
        """Return an error of the API about one of the documents as one about its line; None if it is about none."""
        match = _FIELD.search(error.field or "") or _FIELD.match(error.message)
        if match is None or int(match[1]) >= len(self.lines):
            return None
        message = error.message.removeprefix("the body: ").replace(f"documents.{match[1]}.", "")
        return LineError(self.lines[int(match[1])], message)


def read_jsonl(text: str, line: int) -> Portion:
    """Read lines with a JSON object each; the first has the number `line`. Blank lines are passed over.

    Raises LineError.
    """
    documents, lines = [], []
    for number, content in enumerate(text.split("\n"), line):
        if content.strip():
            documents.append(_object(content, number))
            lines.append(number)
    return Portion(documents, lines)


def read_csv(text: str, line: int, header: str) -> Portion:
    """Read rows whose columns `header`, the first line of the file, names; the first row begins at the line `line`.

    `text` is the text of a document and `id` its id. Other columns are metadata, without what is empty; numbers, true
    and false are taken as such. Raises LineError.
    """
    delimiter = max(_DELIMITERS, key=header.count)
    names = [name.strip() for name in next(csv.reader([header.removeprefix("\ufeff")], delimiter=delimiter), [])]
    if "text" not in names or len(set(names)) < len(names):
        raise LineError(1, "the first line names the columns, each once, and one of them is text")
    documents, lines = [], []
    for number, row in _rows(text, line, delimiter):
        if len(row) != len(names):
            raise LineError(number, f"it has {len(row)} columns, and the first line has {len(names)}")
        documents.append(_document(dict(zip(names, row, strict=True))))
        lines.append(number)
    return Portion(documents, lines)


def _rows(text: str, line: int, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        begins = line + rows.line_num
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise LineError(begins, f"it is no CSV ({error}): mend it, or send JSONL") from error
        if row is None:
            return
        if row:
            yield begins, row


def _document(row: dict[str, str]) -> dict[str, Any]:
    document: dict[str, Any] = {"text": row.pop("text")}
    if identity := row.pop("id", ""):
        document["id"] = identity
    return {**document, "metadata": {name: _value(value) for name, value in row.items() if name and value}}


def _value(text: str) -> str | int | float | bool:
    if text in ("true", "false"):
        return text == "true"
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    return text


def _object(content: str, line: int) -> dict[str, Any]:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no JSON")

    try:
        document = json.loads(content.removeprefix("\ufeff"), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise LineError(line, f"it is no JSON ({error})") from error
    if not isinstance(document, dict):
        raise LineError(line, 'it is no object such as {"id": "a", "text": "One line."}')
    return document
