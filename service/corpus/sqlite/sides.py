"""The sides of judged queries in SQLite, and the sketches by which queries that are nearly equal are found."""

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain

from service.corpus.judgements import Judgement, Side
from service.corpus.near_duplicates import near_queries
from service.corpus.sides import Nodes, Standing, assign, query_node, words_of

SIDES = (
    "CREATE TABLE IF NOT EXISTS sides (node BLOB PRIMARY KEY, side TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS sketches (node BLOB PRIMARY KEY, sketch BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS bands (band BLOB NOT NULL, node BLOB NOT NULL, PRIMARY KEY (band, node)) WITHOUT ROWID",
)
# Thousands of questions may be made by one pattern.
_MOST_COMPARED = 500
_SHARING = "SELECT DISTINCT node, sketch FROM bands JOIN sketches USING (node) WHERE band IN ({}) LIMIT ?"


def side_of(connection: sqlite3.Connection, query: str) -> Side | None:
    """Return the side that a query in these words has; None: it has none yet, or is on neither."""
    node = query_node(query)
    side = _known(connection, [node]).get(node)
    return None if side == "neither" else side


def give_sides(connection: sqlite3.Connection, judgements: Sequence[tuple[Judgement, Nodes]]) -> None:
    """Give the queries of new judgements, which come with their nodes, their sides."""
    known = _known(connection, {node for _, nodes in judgements for node in (nodes.query, *nodes.good)})
    queries = {nodes.query: words_of(one.query) for one, nodes in judgements if nodes.query not in known}
    near = near_queries(queries, _Sketches(connection))
    known |= _known(connection, set(chain(*near.values())) - known.keys())
    sides = assign(judgements, known, near)
    connection.executemany("INSERT OR REPLACE INTO sides VALUES (?, ?)", sides.items())


def _known(connection: sqlite3.Connection, nodes: Iterable[bytes]) -> dict[bytes, Standing]:
    known: dict[bytes, Standing] = {}
    for node in nodes:
        for (side,) in connection.execute("SELECT side FROM sides WHERE node = ?", (node,)):
            known[node] = side
    return known


class _Sketches:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def sharing(self, bands: Sequence[bytes]) -> Iterable[tuple[bytes, bytes]]:
        values = [*bands, _MOST_COMPARED]
        return self._connection.execute(_SHARING.format(", ".join("?" * len(bands))), values).fetchall()

    def add(self, node: bytes, sketch: bytes, bands: Sequence[bytes]) -> None:
        self._connection.execute("INSERT OR IGNORE INTO sketches VALUES (?, ?)", (node, sketch))
        self._connection.executemany("INSERT OR IGNORE INTO bands VALUES (?, ?)", [(band, node) for band in bands])
