"""Tables: CSV and JSON lines, a document a row."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from io import StringIO
from typing import Any

import orjson

from instar.loading.piece import Piece, Unreadable

_TEXTS = ("text", "content", "passage", "body", "answer", "page_content")
_IDENTITIES = ("id", "_id", "identity", "doc_id")
_TITLES = ("title", "heading", "name", "question")
# The columns that `GET /admin/export` has beside id, text and metadata.
_PLACE = frozenset({"collection", "cursor"})
_DELIMITERS = ",;\t"
# A table of one column has no sign between cells, and this is in no text, because it is no character.
_NO_DELIMITER = "\ufdd0"
_Row = Mapping[str, Any]


def of_csv(text: str) -> Iterator[Piece]:
    """Yield a piece for each row, with an empty text if the row has none; the first row has the names.

    Commas, semicolons and tabs are told apart.
    """
    # The limit of the module is meant for input that nobody knows, and articles are longer.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    return _pieces(_rows(text, _delimiter(text)))


def of_json_lines(text: str) -> Iterator[Piece]:
    """Yield a piece for each line, as services export documents, and BEIR its corpus; see `of_csv`."""
    return _pieces(_objects(text))


def _objects(text: str) -> Iterator[tuple[int, _Row]]:
    # Signs that end a line elsewhere may stand in the strings of JSON.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise Unreadable(f"line {number} is no JSON ({error}): correct it") from error
        if not isinstance(row, dict):
            raise Unreadable(f'line {number} is no object: write {{"id": …, "text": …}}')
        yield number, row


def _delimiter(text: str) -> str:
    """The sign by which the header names a text, or else by which it has the most names.

    The rows are not asked, because a sign that stands in every sentence looks like one between cells.
    """

    def names(delimiter: str) -> list[str]:
        with suppress(Unreadable):
            return next((cells for _, cells in _cells(text, delimiter) if any(map(str.strip, cells))), [])
        return []

    headers = {delimiter: names(delimiter) for delimiter in _DELIMITERS}
    best = max(headers, key=lambda delimiter: (_names_text(headers[delimiter]), len(headers[delimiter])))
    return _NO_DELIMITER if len(headers[best]) == 1 else best


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, _Row]]:
    """Yield the rows below the header with their numbers, as a spreadsheet counts them."""
    header: list[str] = []
    for number, (line, cells) in enumerate(_cells(text, delimiter), 1):
        if not any(map(str.strip, cells)):
            continue
        if not header:
            header = cells
            continue
        if any(map(str.strip, cells[len(header) :])):
            raise Unreadable(
                f"line {line} has {len(cells)} cells, and the header {len(header)}: put quotes around a cell with"
                f" {delimiter!r} in it"
            )
        yield number, {name: cell for name, cell in zip(header, cells, strict=False) if name}


def _cells(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line at which each row begins, and its cells."""
    table = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in table:
            yield line, cells
            line = table.line_num + 1
    except csv.Error as error:
        raise Unreadable(
            f"line {line} is no CSV ({error}): double each quote within a cell, and end the cell by one"
        ) from error


def _pieces(rows: Iterable[tuple[int, _Row]]) -> Iterator[Piece]:
    """Yield a piece for each row that is not empty. Raises Unreadable if no row has a name by which texts are known."""
    unnamed = ""
    is_named = False
    for number, row in rows:
        if all(map(_is_blank, row.values())):
            continue
        if _names_text(row):
            is_named = True
        elif not unnamed:
            unnamed = f"row {number} has no text in {', '.join(map(repr, row))}"
        yield _piece(row, number)
    if unnamed and not is_named:
        raise Unreadable(
            f"{unnamed}: name the column with the text {_TEXTS[0]!r} (or {', '.join(map(repr, _TEXTS[1:]))})"
        )


def _piece(row: _Row, number: int) -> Piece:
    identity_name, title_name = _first(row, _IDENTITIES), _first(row, _TITLES)
    title = row[title_name] if title_name else ""
    if not isinstance(title, str | int | float):
        title_name, title = None, ""
    text_name = _first(row, _TEXTS)
    if text_name is None and _names_text(row):
        # Corpora of BEIR have documents of a title alone.
        text_name, title = title_name, ""
    text = row[text_name] if text_name else ""
    if not isinstance(text, str):
        raise Unreadable(f"line {number} has no string in {text_name!r}: write the text in quotes, as one string")
    metadata = {name: value for name, value in row.items() if name not in (text_name, identity_name)}
    # One that is no object is a column like others.
    nested = metadata.pop("metadata") if isinstance(metadata.get("metadata"), dict) else None
    # A corpus of BEIR has the key without a word in it.
    metadata = {name: value for name, value in metadata.items() if value not in ("", None, {})}
    if nested is not None:
        # The place of a document in an export says nothing of the document.
        place = _PLACE if row.keys() >= _PLACE else frozenset()
        metadata = {name: value for name, value in metadata.items() if name not in place} | nested
    headings = (str(title).strip(),) if title else ()
    identity = str(row[identity_name]) if identity_name else None
    return Piece(headings, text, identity, metadata)


def _names_text(names: Iterable[str]) -> bool:
    return any(name.casefold().strip() in _TEXTS for name in names)


def _first(row: _Row, names: tuple[str, ...]) -> str | None:
    """The first of the names that the row has, whatever its case, with a word in it."""
    by_name = {name.casefold().strip(): name for name in row}
    return next((by_name[name] for name in names if name in by_name and not _is_blank(row[by_name[name]])), None)


def _is_blank(value: Any) -> bool:
    return value in (None, [], {}) or not str(value).strip()
