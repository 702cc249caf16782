"""Searches among the points of a collection, by SQL: through its graph, or one by one.

A search returns points and not documents: which windows lie on them is known to the views.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import psycopg
from psycopg import sql

from service.errors import StorageFailed
from service.index.pgvector.binary import Points, VectorDumper, scores_in, vectors_in
from service.index.pgvector.tables import Tables, missed
from service.index.postgres.listing import array_of
from service.machine.arrays import Vectors
from service.postgres.database import Connection, Database

# The most effort that pgvector takes. A graph that needs more is searched for so many points.
MOST_EFFORT = 1000
_NEAR = (
    "SELECT string_agg(int8send(point) || {pgvector}.vector_send(vector), ''::bytea) FROM"
    " (SELECT point, vector FROM {points} WHERE partition = {partition}"
    " ORDER BY vector::{half} {product} %b::{vector}::{half} LIMIT %s) AS nearest"
)
_SCORES = (
    "SELECT string_agg(int8send(point) || float4send((-(vector {product} %b::{vector}))::real), ''::bytea)"
    " FROM {points} WHERE partition = {partition}"
)
_VECTORS = "SELECT string_agg(int8send(point) || {pgvector}.vector_send(vector), ''::bytea) FROM {points} WHERE "
_AMONG = "point = ANY(%s::bigint[])"
_BETWEEN = "partition = %s AND point > %s AND point <= %s"
_HOW = (
    "SELECT set_config('hnsw.ef_search', %s, true),"
    # A search goes on until it has as many as it wants. Their order does not matter, as they are compared in full.
    " set_config('hnsw.iterative_scan', 'relaxed_order', true),"
    " set_config('hnsw.max_scan_tuples', '1000000', true), set_config('hnsw.scan_mem_multiplier', '8', true),"
    # The graph is taken whatever the planner thinks of it.
    " set_config('enable_sort', 'off', true), set_config('jit', 'off', true)"
)


class PointSearch:
    """The points of one collection. Safe from any thread."""

    def __init__(self, database: Database, tables: Tables, partition: int) -> None:
        self._database = database
        self._tables = tables
        self.partition = partition
        self._filled: dict[str, bytes] = {}

    def near(self, query: Vectors, limit: int, effort: int) -> tuple[Points, Vectors]:
        """Walk through the graph to the vector (dimensions,).

        Returns `limit` points that are about the nearest ones, ascending, and their vectors (n, dimensions). They are
        fewer only if the walk reaches no more.
        """
        # What a pipeline sends at once is one transaction, to whose end the settings hold.
        with self._reading() as connection, connection.pipeline():
            connection.execute(_HOW, (str(min(effort, MOST_EFFORT)),))
            cursor = _cursor(connection).execute(self._sql(_NEAR), (query, limit))
        row = cursor.fetchone()
        return vectors_in(row and row[0], self._tables.dimensions)

    def scores(self, query: Vectors, among: Points | None = None) -> tuple[Points, Vectors]:
        """Compare the vector (dimensions,) with all points of the collection, or with those `among` them.

        Returns points, ascending, and scores (n,), which are right but for the order of summation.
        """
        with self._reading() as connection:
            cursor = _cursor(connection)
            if among is None:
                cursor.execute(self._sql(_SCORES), (query,))
            else:
                cursor.execute(self._sql(_SCORES + " AND " + _AMONG), (query, array_of(among)))
            row = cursor.fetchone()
        return scores_in(row and row[0])

    def vectors(self, points: Points) -> Vectors:
        """Return the vectors (n, dimensions) of ascending points."""
        with self._reading() as connection:
            row = _cursor(connection).execute(self._sql(_VECTORS + _AMONG), (array_of(points),)).fetchone()
        there, vectors = vectors_in(row and row[0], self._tables.dimensions)
        require(there, points)
        return vectors

    def between(self, after: int, to: int) -> tuple[Points, Vectors]:
        """Return the points from behind `after` up to `to`, ascending, and their vectors (n, dimensions)."""
        with self._reading() as connection:
            row = _cursor(connection).execute(self._sql(_VECTORS + _BETWEEN), (self.partition, after, to)).fetchone()
        return vectors_in(row and row[0], self._tables.dimensions)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with missed(), self._database.read() as connection:
            yield connection

    def _sql(self, statement: str) -> bytes:
        if statement not in self._filled:
            # A partition that stands in the statement lets the planner see that the graph has all of it.
            filled = self._tables.filled(statement, partition=sql.Literal(self.partition))
            self._filled[statement] = filled.as_bytes()
        return self._filled[statement]


def require(there: Points, points: Points) -> None:
    """Raise StorageFailed unless all `points` are among those that are `there`."""
    if not np.isin(points, there).all():
        raise StorageFailed(
            "vectors are gone that an index in PostgreSQL had: restart this process, which makes the index complete"
        )


def _cursor(connection: Connection) -> psycopg.Cursor[tuple[bytes | None]]:
    cursor = connection.cursor(binary=True)
    cursor.adapters.register_dumper(np.ndarray, VectorDumper)
    return cursor
