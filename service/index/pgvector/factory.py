"""Indexes of pgvector, beside the stored vectors in the same schema."""

from collections.abc import Set
from functools import partial

from service.corpus.base import Seqs
from service.index.base import Needed
from service.index.pgvector.entries import EntryTable
from service.index.pgvector.graph import EntryGraphs
from service.index.pgvector.index import PgvectorIndex
from service.index.pgvector.point_search import PointSearch
from service.index.pgvector.sealing import Sealing
from service.index.pgvector.tables import drop_tables, indexes_there, open_tables
from service.index.postgres.tables import VectorTables
from service.postgres.database import Database

# Bytes of a window in memory: its number, its point and span, the order by points, and what a start needs meanwhile.
_MEMORY = 96


class PgvectorIndexes:
    """Opens indexes, whose vectors lie in the schema of `database`.

    From `graph_from` windows in a collection on, HNSW replaces exact search. It is tuned to a recall@10 of
    `min_recall`.
    """

    def __init__(self, database: Database, *, graph_from: int, min_recall: float) -> None:
        self._database = database
        self._stores = VectorTables(database)
        self._graph_from = graph_from
        self._min_recall = min_recall

    def open(self, fingerprint: str, dimensions: int) -> PgvectorIndex:
        """Open the index of a document fingerprint with its stored vectors. It is not loaded yet.

        Raises StorageFailed if the database cannot have the extension.
        """
        store = self._stores.open_store(fingerprint, dimensions)
        tables = open_tables(self._database, fingerprint, dimensions)
        entries = EntryTable(self._database, tables)
        graphs = EntryGraphs(self._database, tables, entries, self._min_recall)
        points_of = partial(PointSearch, self._database, tables)
        return PgvectorIndex(fingerprint, store, Sealing(entries, graphs, points_of, self._graph_from))

    def stored(self, fingerprint: str) -> Seqs:
        """List the sequence numbers that have a vector of the fingerprint, ascending."""
        return self._stores.stored(fingerprint)

    def highest_stored(self) -> int:
        """Return the highest sequence number of a document that has a vector."""
        return self._stores.highest_stored()

    def forget(self, keep: Set[str], spare: int) -> list[str]:
        """Delete vectors and indexes of all fingerprints, except `keep` and the `spare` others that were used last."""
        spared = self._stores.forget(keep, spare)
        left = self._stores.fingerprints()
        with self._database.write() as connection:
            for fingerprint, number in indexes_there(connection).items():
                if fingerprint not in left:
                    drop_tables(connection, number)
        return spared

    def needed(self, windows: int, missing: int, dimensions: int) -> Needed:
        """Estimate what an index of so many windows takes, `missing` of which have no stored vector."""
        return Needed(windows * _MEMORY, self._stores.disk(missing * dimensions * 4))
