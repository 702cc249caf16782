"""The sides of judged queries in PostgreSQL, and the sketches by which queries that are nearly equal are found."""

from collections.abc import Iterable, Sequence
from itertools import chain

from service.corpus.judgements import Judgement, Side
from service.corpus.near_duplicates import near_queries
from service.corpus.sides import Nodes, Standing, assign, query_node, words_of
from service.postgres.database import Connection

# Thousands of questions may be made by one pattern.
_MOST_COMPARED = 500
_SHARING = (
    "SELECT DISTINCT node, sketch FROM bands JOIN sketches USING (node) WHERE band = ANY(%s::bytea[])"
    " ORDER BY node LIMIT %s"
)
_ADD = (
    "WITH added AS (INSERT INTO sketches VALUES (%(node)s, %(sketch)s) ON CONFLICT DO NOTHING)"
    " INSERT INTO bands SELECT unnest(%(bands)s::bytea[]), %(node)s ON CONFLICT DO NOTHING"
)
_SAVE = "INSERT INTO sides VALUES (%s, %s) ON CONFLICT (node) DO UPDATE SET side = excluded.side"


def side_of(connection: Connection, query: str) -> Side | None:
    """Return the side that a query in these words has; None: it has none yet, or is on neither."""
    node = query_node(query)
    side = _known(connection, [node]).get(node)
    return None if side == "neither" else side


def give_sides(connection: Connection, judgements: Sequence[tuple[Judgement, Nodes]]) -> None:
    """Give the queries of new judgements, which come with their nodes, their sides."""
    known = _known(connection, {node for _, nodes in judgements for node in (nodes.query, *nodes.good)})
    queries = {nodes.query: words_of(one.query) for one, nodes in judgements if nodes.query not in known}
    near = near_queries(queries, _Sketches(connection))
    known |= _known(connection, set(chain(*near.values())) - known.keys())
    sides = assign(judgements, known, near)
    connection.cursor().executemany(_SAVE, list(sides.items()))


def _known(connection: Connection, nodes: Iterable[bytes]) -> dict[bytes, Standing]:
    return dict(
        connection.execute("SELECT node, side FROM sides WHERE node = ANY(%s::bytea[])", (list(nodes),)).fetchall()
    )


class _Sketches:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def sharing(self, bands: Sequence[bytes]) -> Iterable[tuple[bytes, bytes]]:
        return self._connection.execute(_SHARING, (list(bands), _MOST_COMPARED)).fetchall()

    def add(self, node: bytes, sketch: bytes, bands: Sequence[bytes]) -> None:
        self._connection.execute(_ADD, {"node": node, "sketch": sketch, "bands": list(bands)})
