"""Judgements as rows of their table, and back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from service.corpus.judgements import DERIVED, Judgement, Key
from service.corpus.postgres.judgement_queries import columns_of
from service.corpus.postgres.sides import give_sides
from service.corpus.sides import Nodes, nodes_of
from service.postgres.database import Connection

KEY = "collection, query, document, source, voice"
LISTED = "SELECT collection, query, document, source, good, provenance, said_by, at, weight, side, stale FROM judged"
_INSERT = (
    "INSERT INTO judgements VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
    " ON CONFLICT (collection, query, document, source, voice) DO UPDATE SET"
    " (good, provenance, said_by, at, weight, text, query_node, document_node, text_node) ="
    " (excluded.good, excluded.provenance, excluded.said_by, excluded.at, excluded.weight,"
    " excluded.text, excluded.query_node, excluded.document_node, excluded.text_node)"
)
_TEXTS = (
    "SELECT collection, id, text, hash FROM documents JOIN unnest(%s::bytea[], %s::bytea[])"
    " AS pair (collection, id) USING (collection, id) WHERE NOT dead"
)
_STORED = (
    "SELECT text, query_node, document_node, text_node,"
    " collection, query, document, source, good, provenance, said_by, at, weight, side, stale FROM judged"
    " JOIN unnest(%s::bytea[], %s::bytea[], %s::bytea[], %s::text[], %s::bytea[])"
    " AS wanted (collection, query, document, source, voice) USING (collection, query, document, source, voice)"
)


@dataclass(frozen=True, slots=True)
class Row:
    """A judgement as it is stored: `text` is the hash of the text that it is of."""

    judgement: Judgement
    text: bytes | None
    nodes: Nodes

    def values(self) -> tuple[object, ...]:
        """The columns of the row."""
        said, nodes = self.judgement, self.nodes
        return (
            *(*columns_of(said.key), said.good, _encoded(said.provenance), _encoded(said.by)),
            *(said.at and said.at.isoformat(), said.weight, self.text, nodes.query, nodes.document, nodes.text),
        )


def of_present_texts(connection: Connection, judgements: Sequence[Judgement]) -> list[Row]:
    """Return the rows of judgements of the documents' present texts."""
    pairs = {(one.collection.encode(), one.document.encode()) for one in judgements}
    if not pairs:
        return []
    read = connection.execute(_TEXTS, [list(column) for column in zip(*pairs, strict=True)], binary=True)
    texts = {
        (collection.decode(), identity.decode()): (text.decode(), digest) for collection, identity, text, digest in read
    }
    rows = []
    for judgement in judgements:
        text, digest = texts.get((judgement.collection, judgement.document), (None, None))
        rows.append(Row(judgement, digest, nodes_of(judgement, text)))
    return rows


def stored(connection: Connection, keys: Sequence[Key]) -> Iterator[Row]:
    """Read the stored judgements with these keys."""
    if keys:
        columns = [list(column) for column in zip(*map(columns_of, keys), strict=True)]
        for text, query, document, document_text, *row in connection.execute(_STORED, columns, binary=True):
            yield Row(judgement_of(row), text, Nodes(query, document, document_text))


def insert(connection: Connection, rows: Sequence[Row]) -> None:
    """Insert judgements or put them in place of those with their keys, and give their queries their sides."""
    give_sides(connection, [(row.judgement, row.nodes) for row in rows])
    connection.cursor().executemany(_INSERT, [row.values() for row in rows])


def after(former: Row | None, new: Row) -> Row:
    """Return the row that `new` leaves in place of `former`, which stays as it is if it says so already."""
    if former is None:
        return new
    derived = new.judgement.source in DERIVED
    if former.judgement.says_like(new.judgement) and (derived or not former.judgement.stale):
        return former
    # Events do not tell of which text they were.
    return replace(new, text=former.text) if derived else new


def judgement_of(row: Sequence[Any]) -> Judgement:
    """Return the judgement in the columns of `LISTED`."""
    collection, query, document, source, good, provenance, said_by, at, weight, side, stale = row
    return Judgement(
        query=query.decode(),
        document=document.decode(),
        good=good,
        collection=collection.decode(),
        provenance=provenance if provenance is None else provenance.decode(),
        source=source,
        by=said_by if said_by is None else said_by.decode(),
        at=at and datetime.fromisoformat(at),
        weight=weight,
        side=side,
        stale=stale,
    )


def _encoded(string: str | None) -> bytes | None:
    return None if string is None else string.encode()
