"""The vectors of one document fingerprint in PostgreSQL, by the documents' sequence numbers.

They are what `service.index.vector_store` keeps in a file, with the same promise: a damaged vector is forgotten and
embedded again. All replicas share the table, so nothing that was read is remembered here.
"""

import logging
from collections.abc import Sequence

import numpy as np
from psycopg import sql

from service.corpus.base import Seqs
from service.index.packed import (
    PackedSpans,
    count_windows,
    cuts_among,
    is_sound,
    pack,
    sound_spans,
    unpack,
    unpack_spans,
)
from service.index.postgres.listing import array_of, listed
from service.index.postgres.table import VectorTable
from service.index.rows import Rows
from service.machine import huge_pages
from service.machine.arrays import Empty, Spans, Vectors, Windows
from service.postgres.database import Connection, Database

log = logging.getLogger(__name__)

# Documents that are read by one statement, and that are written by one.
_READ_AT_ONCE = 10_000
_WRITTEN_AT_ONCE = 1000
# So many numbers are looked up one by one in far less time than a million take to be listed.
_FEW = 1000
# Documents that take up less than this share of the numbers from the first to the last are looked up one by one.
_DENSE_SHARE = 0.5
_ROW = "SELECT seq, vectors, spans, checksum FROM {table} WHERE "
_SPANS = "SELECT seq, spans FROM {table} WHERE spans <> ''::bytea AND "
_DROP = "DELETE FROM {table} WHERE "
_AMONG = "seq = ANY(%s::bigint[])"
_BETWEEN = "seq BETWEEN %s AND %s"
_PUT = (
    "INSERT INTO {table} (seq, vectors, spans, checksum)"
    " SELECT * FROM unnest(%b::bigint[], %b::bytea[], %b::bytea[], %b::bigint[])"
    " ON CONFLICT (seq) DO UPDATE"
    " SET vectors = excluded.vectors, spans = excluded.spans, checksum = excluded.checksum"
)
_USED = "UPDATE vector_stores SET used = now() WHERE number = %s AND used < now() - interval '1 minute'"


class TableStore:
    """Windows with unit vectors of `dimensions` float32, by sequence number, in one table. Safe from any thread.

    Methods raise InsufficientResources if the server's disk is full, StorageFailed if the server fails. A table that
    cannot be read is replaced by an empty one.
    """

    def __init__(self, database: Database, fingerprint: str, dimensions: int) -> None:
        """Open or make the table. One that has other dimensions is replaced by an empty one."""
        self.dimensions = dimensions
        self._database = database
        self._fingerprint = fingerprint
        self._table = VectorTable(database, fingerprint, dimensions)
        self._closed = False

    def put(self, rows: Rows) -> None:
        """Store the windows of these documents, in place of former ones."""
        with self._table.using(self._database.write) as connection, connection.pipeline():
            # Losing some of them costs time and no data.
            connection.execute("SET LOCAL synchronous_commit TO off")
            connection.execute(_USED, (self._table.number,))
            documents = list(pack(rows))
            for start in range(0, len(documents), _WRITTEN_AT_ONCE):
                part = documents[start : start + _WRITTEN_AT_ONCE]
                connection.execute(self._sql(_PUT), [list(column) for column in zip(*part, strict=True)])

    def missing(self, seqs: Seqs) -> Seqs:
        """Return those of the distinct `seqs` that have no vector, in their order. Without `seqs` nothing is read."""
        if not len(seqs):
            return seqs
        if len(seqs) <= _FEW:
            stored = self._listed(_AMONG, array_of(seqs))
        else:
            stored = self._listed(_BETWEEN, int(seqs.min()), int(seqs.max()))
        return np.setdiff1d(seqs, stored, assume_unique=True)

    def get(self, seqs: Seqs, empty: Empty = huge_pages.empty) -> Rows | None:
        """Return the rows of the ascending `seqs`, or None if a document has none or a damaged one.

        `empty` makes the array of their vectors.
        """
        damaged: list[int] = []
        with self._table.using(self._database.snapshot) as connection:
            spans = self._spans(connection, seqs)
            counts = count_windows(seqs, spans)
            vectors: Vectors = empty((int(counts.sum()), self.dimensions), np.float32)
            filled = 0
            for start in range(0, len(seqs), _READ_AT_ONCE):
                part = seqs[start : start + _READ_AT_ONCE]
                rows = self._rows(connection, part)
                damaged = [row[0] for row in rows if not is_sound(*row)]
                if damaged or not np.array_equal([row[0] for row in rows], part):
                    break
                read = np.frombuffer(b"".join(row[1] for row in rows), np.float32).reshape(-1, self.dimensions)
                vectors[filled : filled + len(read)] = read
                filled += len(read)
            else:
                return Rows(np.repeat(seqs, counts), vectors, unpack_spans(seqs, spans))
        if damaged:
            log.warning("%d vectors of %s are damaged: they are embedded again", len(damaged), self._fingerprint)
            self.drop(damaged)
        return None

    def some(self, seqs: Sequence[int]) -> dict[int, Windows]:
        """Return the windows of the `seqs` that have any; of none once the store is closed."""
        if self._closed or not len(seqs):
            return {}
        with self._table.using(self._database.read) as connection:
            rows = connection.cursor(binary=True).execute(self._sql(_ROW + _AMONG), (array_of(seqs),)).fetchall()
            return {
                seq: unpack(vectors, spans, self.dimensions)
                for seq, vectors, spans, checksum in rows
                if is_sound(seq, vectors, spans, checksum)
            }
        # The table was unfit, and is empty now.
        return {}

    def windowing(self) -> dict[str, str]:
        """Return, by collection, how documents that the model does not read whole were cut into the windows here."""
        with self._database.read() as connection:
            rows = connection.cursor(binary=True).execute(
                "SELECT collection, windowing FROM windowings WHERE store = %s", (self._table.number,)
            )
            return {collection.decode(errors="surrogatepass"): windowing for collection, windowing in rows}

    def note_windowing(self, collection: str, windowing: str) -> None:
        """Record how the documents of a collection are cut into windows from now on."""
        with self._table.using(self._database.write) as connection:
            connection.execute(
                "INSERT INTO windowings VALUES (%s, %s, %s)"
                " ON CONFLICT (store, collection) DO UPDATE SET windowing = excluded.windowing",
                (self._table.number, collection.encode(errors="surrogatepass"), windowing),
            )

    def partial(self) -> Seqs:
        """Return, ascending, the documents of several windows, or of one that is not the whole text."""
        return self._listed("spans <> ''::bytea")

    def cuts(self, seqs: Seqs) -> tuple[Seqs, Spans]:
        """Return the documents of `seqs` (ascending) that are in `partial`, each as often as it has windows (n,), and
        their spans (n, 2). No checksum is compared.
        """
        spans: PackedSpans = {}
        with self._table.using(self._database.read) as connection:
            spans = self._spans(connection, seqs)
        return cuts_among(seqs, spans)

    def prune(self, live: Seqs, high: int) -> None:
        """Forget the vectors up to the sequence number `high`, except those of the ascending `live`."""
        stored = self._listed("seq <= %s", high)
        self.drop(np.setdiff1d(stored, live, assume_unique=True).tolist())

    def drop(self, seqs: Sequence[int]) -> None:
        """Forget the vectors of `seqs`. Does nothing once the store is closed."""
        if self._closed or not len(seqs):
            return
        with self._table.using(self._database.write) as connection:
            connection.execute(self._sql(_DROP + _AMONG), (array_of(seqs),))

    def close(self) -> None:
        """Read and forget nothing from now on."""
        self._closed = True

    def _listed(self, condition: str, *values: str | int) -> Seqs:
        """List the sequence numbers that meet the condition, ascending."""
        with self._table.using(self._database.read) as connection:
            return listed(connection, self._table.name, condition, values)
        # The table was unfit, and is empty now.
        return np.empty(0, np.int64)

    def _spans(self, connection: Connection, seqs: Seqs) -> PackedSpans:
        if not len(seqs):
            return {}
        cursor = connection.cursor(binary=True)
        return sound_spans(cursor.execute(self._sql(_SPANS + _BETWEEN), (int(seqs[0]), int(seqs[-1]))).fetchall())

    def _rows(self, connection: Connection, seqs: Seqs) -> list[tuple[int, bytes, bytes, int]]:
        """Read the rows of ascending `seqs`, ascending."""
        first, last = int(seqs[0]), int(seqs[-1])
        cursor = connection.cursor(binary=True)
        if len(seqs) < _DENSE_SHARE * (last + 1 - first):
            return cursor.execute(self._sql(_ROW + _AMONG + " ORDER BY seq"), (array_of(seqs),)).fetchall()
        rows = cursor.execute(self._sql(_ROW + _BETWEEN + " ORDER BY seq"), (first, last)).fetchall()
        if len(rows) == len(seqs):
            return rows
        wanted = set(seqs.tolist())
        return [row for row in rows if row[0] in wanted]

    def _sql(self, statement: str) -> sql.Composed:
        return sql.SQL(statement).format(table=self._table.name)
