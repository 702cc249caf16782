"""The points on which windows of documents lie, as all replicas see them: written here and read at a start.

Changes of a collection come from one process at a time, which holds the lock on its row. Windows of documents that died
stay for a while with their points, because a search that began before, in any process, may still come to them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from service.corpus.base import Seqs
from service.index.pgvector.binary import Points, copied
from service.index.pgvector.tables import Tables, missed
from service.index.postgres.listing import array_of
from service.index.rows import Rows
from service.machine.arrays import Spans
from service.postgres.database import Connection, Database

# Seconds that others wait for the building of a graph, before they try again later.
_LOCK_TIMEOUT = "2s"
# How long a window stays after its death, for views of that time.
_STAYS = "1 hour"
# Bytes of the hash by which equal vectors are known.
_DIGEST = 16
# Sequence numbers whose windows are one value.
_READ_AS_ONE = 1_000_000
_ENTRY = np.dtype([("seq", ">i8"), ("place", ">i4"), ("point", ">i8"), ("span", ">i4", (2,))])
_READ = (
    "SELECT partition, string_agg(int8send(seq) || int4send(place) || int8send(point) || int4send(start)"
    " || int4send(\"end\"), ''::bytea) FROM {windows} WHERE died IS NULL"
)
_AMONG = " AND partition = %s AND seq = ANY(%s::bigint[]) GROUP BY partition"
_BURY = "UPDATE {windows} SET died = now() WHERE died IS NULL AND partition = %s AND seq = ANY(%s::bigint[])"


class Busy(Exception):
    """Another process changes the collection, or builds a graph, which takes minutes."""


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """The windows (n,) of documents, ascending by sequence number, with their points and spans (n, 2)."""

    seqs: Seqs
    points: Points
    spans: Spans

    def __len__(self) -> int:
        return len(self.seqs)

    def __getitem__(self, selected: "NDArray[Any] | slice") -> "Entries":
        return Entries(self.seqs[selected], self.points[selected], self.spans[selected])


NONE = Entries(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 2), np.int32))


def joined(*parts: Entries) -> Entries:
    """Return all windows in the order of their documents, which are in one part each."""
    seqs = np.concatenate([part.seqs for part in parts])
    order = np.argsort(seqs, kind="stable")
    points = np.concatenate([part.points for part in parts])
    spans = np.concatenate([part.spans for part in parts])
    return Entries(seqs, points, spans)[order]


class EntryTable:
    """The windows of one index. Safe from any thread."""

    def __init__(self, database: Database, tables: Tables) -> None:
        self._database = database
        self._tables = tables

    def partition(self, collection: str) -> int:
        """Return the number of a collection, which it gets if it has none."""
        with missed(), self._database.write() as connection:
            name = (self._tables.number, collection.encode(errors="surrogatepass"))
            # Nothing is updated here, because the row is locked while a graph is built.
            connection.execute(
                "INSERT INTO pgvector_partitions (index, collection) VALUES (%s, %s) ON CONFLICT DO NOTHING", name
            )
            row = connection.execute(
                "SELECT number FROM pgvector_partitions WHERE index = %s AND collection = %s", name
            ).fetchone()
        return int(row[0]) if row else 0

    def partitions(self) -> dict[str, int]:
        """Return the numbers of all collections that have one."""
        with self._database.read() as connection:
            rows = connection.cursor(binary=True).execute(
                "SELECT collection, number FROM pgvector_partitions WHERE index = %s", (self._tables.number,)
            )
            return {collection.decode(errors="surrogatepass"): number for collection, number in rows}

    def read(self, to: int) -> dict[int, Entries]:
        """Return the windows of all documents up to `to`, by the number of the collection."""
        statement = self._tables.filled(_READ + " AND seq <= %s GROUP BY partition, seq / %s")
        parts: dict[int, list[NDArray[Any]]] = {}
        with self._database.read() as connection:
            for partition, records in connection.cursor(binary=True).execute(statement, (to, _READ_AS_ONE)):
                parts.setdefault(partition, []).append(np.frombuffer(records, _ENTRY))
        return {partition: _entries(np.concatenate(records)) for partition, records in parts.items()}

    def add(self, partition: int, rows: Rows) -> Entries:
        """Write the windows of these documents, unless they are there, and return them.

        Those of another cut are replaced. Raises Busy.
        """
        with self.locked(partition) as connection:
            points = self._points(connection, partition, rows)
            entries = Entries(rows.seqs, points, rows.spans)
            seqs = np.unique(rows.seqs)
            if not _equal(self._there(connection, partition, seqs), entries):
                connection.execute(self._tables.filled(_BURY), (partition, array_of(seqs)))
                firsts = np.searchsorted(rows.seqs, rows.seqs)
                columns: list[NDArray[Any]] = [
                    np.full(len(rows), partition, np.int32),
                    rows.seqs,
                    np.arange(len(rows), dtype=np.int32) - firsts.astype(np.int32),
                    points,
                    np.ascontiguousarray(rows.spans[:, 0]),
                    np.ascontiguousarray(rows.spans[:, 1]),
                ]
                _copy(
                    connection,
                    self._tables,
                    'COPY {windows} (partition, seq, place, point, start, "end") FROM STDIN (FORMAT BINARY)',
                    columns,
                )
        return entries

    def bury(self, partition: int, died: Sequence[int] | Seqs) -> None:
        """Note that documents have died. Windows that died long ago are deleted, and points that are left alone.

        Raises Busy.
        """
        with self.locked(partition) as connection:
            connection.execute(self._tables.filled(_BURY), (partition, array_of(died)))
            rows = connection.execute(
                self._tables.filled(
                    "DELETE FROM {windows} WHERE partition = %s AND died < now() - %s::interval RETURNING point"
                ),
                (partition, _STAYS),
            ).fetchall()
            points = np.unique([row[0] for row in rows]) if rows else np.empty(0, np.int64)
            connection.execute(
                self._tables.filled(
                    "DELETE FROM {points} WHERE point = ANY(%s::bigint[])"
                    " AND NOT EXISTS (SELECT FROM {windows} WHERE {windows}.point = {points}.point)"
                ),
                (array_of(points),),
            )

    def expired(self) -> list[int]:
        """Return the numbers of the collections with windows that died long ago, which `bury` deletes."""
        with missed(), self._database.read() as connection:
            rows = connection.execute(
                self._tables.filled("SELECT DISTINCT partition FROM {windows} WHERE died < now() - %s::interval"),
                (_STAYS,),
            )
            return [int(number) for (number,) in rows]

    @contextmanager
    def locked(self, partition: int) -> Iterator[Connection]:
        """Run a transaction that alone changes the collection. Raises Busy."""
        with missed(), self._database.write() as connection:
            try:
                connection.execute(f"SET LOCAL lock_timeout TO '{_LOCK_TIMEOUT}'")
                connection.execute("SELECT FROM pgvector_partitions WHERE number = %s FOR UPDATE", (partition,))
                yield connection
            except psycopg.errors.LockNotAvailable as error:
                raise Busy from error

    def _there(self, connection: Connection, partition: int, seqs: Seqs) -> Entries:
        """Read the windows of these documents."""
        cursor = connection.cursor(binary=True)
        row = cursor.execute(self._tables.filled(_READ + _AMONG), (partition, array_of(seqs))).fetchone()
        return NONE if row is None else _entries(np.frombuffer(row[1], _ENTRY))

    def _points(self, connection: Connection, partition: int, rows: Rows) -> Points:
        """Return the point (n,) of each row, which is made if there is none."""
        digests = np.frombuffer(
            b"".join(blake2b(vector.tobytes(), digest_size=_DIGEST).digest() for vector in rows.vectors), f"S{_DIGEST}"
        )
        _, firsts, numbers = np.unique(digests, return_index=True, return_inverse=True)
        # NumPy hands on bytes without the zeros at their end.
        distinct_digests = [digests[first : first + 1].tobytes() for first in firsts.tolist()]
        statement = "SELECT digest, point FROM {points} WHERE partition = %s AND digest = ANY(%b::bytea[])"
        cursor = connection.cursor(binary=True).execute(self._tables.filled(statement), (partition, distinct_digests))
        there: dict[bytes, int] = dict(cursor.fetchall())
        lacking = [position for position, digest in enumerate(distinct_digests) if digest not in there]
        if lacking:
            made = connection.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, 'point')) FROM generate_series(1, %s)",
                (self._tables.points.as_string(connection), len(lacking)),
            ).fetchall()
            new = firsts[lacking]
            points = np.array([row[0] for row in made], np.int64)
            partitions = np.full(len(new), partition, np.int32)
            statement = "COPY {points} (point, partition, digest, vector) FROM STDIN (FORMAT BINARY)"
            _copy(connection, self._tables, statement, [points, partitions, digests[new], rows.vectors[new]])
            there |= zip((distinct_digests[position] for position in lacking), points.tolist(), strict=True)
        of_distinct = np.array([there[digest] for digest in distinct_digests], np.int64)
        return of_distinct[numbers]


def _copy(connection: Connection, tables: Tables, statement: str, columns: list[NDArray[Any]]) -> None:
    with connection.cursor().copy(tables.filled(statement)) as copy:
        copy.write(copied(columns))


def _entries(records: NDArray[Any]) -> Entries:
    ordered = records[np.lexsort((records["place"], records["seq"]))]
    return Entries(ordered["seq"].astype(np.int64), ordered["point"].astype(np.int64), ordered["span"].astype(np.int32))


def _equal(first: Entries, second: Entries) -> bool:
    return (
        np.array_equal(first.seqs, second.seqs)
        and np.array_equal(first.points, second.points)
        and np.array_equal(first.spans, second.spans)
    )
