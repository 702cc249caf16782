"""The graph of a large collection: built by pgvector as HNSW over halves, tuned once, and shared by all replicas."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from service.index.base import GivenUp, IsGivenUp
from service.index.pgvector.entries import EntryTable
from service.index.pgvector.tables import Tables
from service.postgres.database import Connection, Database

log = logging.getLogger(__name__)

# Of 16, 24 and 32 links, 24 needed the least time to build and to search 100,000 vectors at equal recall.
_LINKS = 24
_BUILD_EFFORT = 128
# Megabytes that building may take on the server. A graph that needs more is built many times slower.
_LEAST_MEMORY, _MOST_MEMORY = 64, 4096
# Bytes of a point's links and of what pgvector keeps beside them, while a graph is built.
_BESIDE = 1024
# A graph that has grown to so many times its points since it was tuned is tuned again.
_GROWN = 1.5
# Seconds between two looks at whether somebody still waits.
_PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class Tuned:
    """With how much effort a graph is searched, and the recall@10 that this came to."""

    effort: int
    recall: float


class EntryGraphs:
    """The graphs of one index. Safe from any thread."""

    def __init__(self, database: Database, tables: Tables, entries: EntryTable, min_recall: float) -> None:
        self._database = database
        self._tables = tables
        self._entries = entries
        self.min_recall = min_recall

    def tuned(self) -> dict[int, Tuned]:
        """Return how the graphs are searched that are there and tuned to the recall that is wanted, by partition."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT number, effort, recall FROM pgvector_partitions WHERE index = %s AND min_recall = %s",
                (self._tables.number, self.min_recall),
            ).fetchall()
            return {
                number: Tuned(effort, recall) for number, effort, recall in rows if self._is_there(connection, number)
            }

    def has_outgrown(self, partition: int, points: int) -> bool:
        """Say whether a collection of so many points has no graph, or one that was tuned to far fewer."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT points FROM pgvector_partitions WHERE number = %s AND min_recall = %s",
                (partition, self.min_recall),
            ).fetchone()
            return row is None or points > _GROWN * (row[0] or 0) or not self._is_there(connection, partition)

    def build(self, partition: int, points: int, given_up: IsGivenUp) -> None:
        """Build the graph of a collection of about so many points, unless it is there.

        Others cannot add to the index meanwhile. Raises GivenUp soon after `given_up` answers true, and Busy.
        """
        bytes_of_a_point = 2 * self._tables.dimensions + _BESIDE
        memory = min(max(_LEAST_MEMORY, points * bytes_of_a_point >> 20), _MOST_MEMORY)
        statement = self._tables.filled(
            "CREATE INDEX IF NOT EXISTS {graph} ON {points} USING hnsw ((vector::{half}) {pgvector}.halfvec_ip_ops)"
            " WITH (m = {links}, ef_construction = {effort}) WHERE partition = {partition}",
            graph=self._tables.graph(partition),
            links=sql.Literal(_LINKS),
            effort=sql.Literal(_BUILD_EFFORT),
            partition=sql.Literal(partition),
        )
        with self._entries.locked(partition) as connection, _cancelled_when(connection, given_up):
            connection.execute(sql.SQL("SET LOCAL maintenance_work_mem TO {}").format(f"{memory}MB"))
            connection.execute("SET LOCAL statement_timeout TO 0")
            try:
                with connection.transaction():
                    connection.execute(statement)
            except psycopg.errors.DiskFull:
                # Several processes build it in shared memory, of which a container has little.
                connection.execute("SET LOCAL max_parallel_maintenance_workers TO 0")
                connection.execute(statement)

    def record(self, partition: int, tuned: Tuned, points: int) -> None:
        """Record how the graph of a collection is searched, while it has so many points."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE pgvector_partitions SET effort = %s, recall = %s, min_recall = %s, points = %s"
                " WHERE number = %s",
                (tuned.effort, tuned.recall, self.min_recall, points, partition),
            )

    def _is_there(self, connection: Connection, partition: int) -> bool:
        name = self._tables.graph(partition).as_string(connection)
        row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone()
        return bool(row and row[0])


@contextmanager
def _cancelled_when(connection: Connection, given_up: IsGivenUp) -> Iterator[None]:
    """Within the block, cancel the statement that runs once `given_up` answers true, and raise GivenUp."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_PAUSE):
            if given_up():
                connection.cancel()

    watching = threading.Thread(target=watch, name="given up?", daemon=True)
    watching.start()
    try:
        yield
    except psycopg.errors.QueryCanceled as error:
        raise GivenUp from error
    finally:
        ended.set()
        watching.join()
