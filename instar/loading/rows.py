"""Tables: CSV and JSON lines, a document a row."""

import csv
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any

import orjson

from instar.loading.piece import Piece, Unreadable

_TEXTS = ("text", "content", "passage", "body", "answer", "page_content")
_IDENTITIES = ("id", "_id", "identity", "doc_id")
_TITLES = ("title", "heading", "name", "question")
# The columns that `GET /admin/export` has beside id, text and metadata.
_PLACE = frozenset({"collection", "cursor"})


def of_csv(text: str) -> Iterator[Piece]:
    """Yield a piece for each row; the first row has the names. Commas, semicolons and tabs are told apart."""
    try:
        dialect: Any = csv.Sniffer().sniff(text[:10_000], delimiters=",;\t")
    except csv.Error:
        dialect = csv.excel
    # The limit of the module is meant for input that nobody knows, and articles are longer.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    for number, row in enumerate(csv.DictReader(StringIO(text), dialect=dialect), 2):
        yield _piece({name: value for name, value in row.items() if name and value}, number)


def of_json_lines(text: str) -> Iterator[Piece]:
    """Yield a piece for each line, as services export documents, and BEIR its corpus."""
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
        yield _piece(row, number)


def _piece(row: Mapping[str, Any], number: int) -> Piece:
    text_name = _first(row, _TEXTS)
    if text_name is None:
        raise Unreadable(
            f"row {number} has no text in {', '.join(map(repr, row)) or 'any column'}: name the column with the text"
            f" {_TEXTS[0]!r} (or {', '.join(map(repr, _TEXTS[1:]))})"
        )
    identity_name, title_name = _first(row, _IDENTITIES), _first(row, _TITLES)
    metadata = {name: value for name, value in row.items() if name not in (text_name, identity_name)}
    nested = metadata.pop("metadata", None)
    # A corpus of BEIR has the key without a word in it.
    metadata = {name: value for name, value in metadata.items() if value not in ("", None, {})}
    if isinstance(nested, dict):
        # The place of a document in an export says nothing of the document.
        place = _PLACE if row.keys() >= _PLACE else frozenset()
        metadata = {name: value for name, value in metadata.items() if name not in place} | nested
    title = str(row[title_name]).strip() if title_name else ""
    identity = str(row[identity_name]) if identity_name else None
    return Piece((title,) if title else (), str(row[text_name]), identity, metadata)


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """The first of the names that the row has, whatever its case, with a word in it."""
    by_name = {name.casefold().strip(): name for name in row}
    return next((by_name[name] for name in names if name in by_name and str(row[by_name[name]]).strip()), None)
