"""The choice of the indexes of vectors and words: the one place that knows every implementation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from service.corpus.base import Documents
from service.errors import StorageFailed
from service.index.base import IndexFactory
from service.index.keywords.base import KeywordIndex
from service.machine.arrays import Vectors
from service.settings import Settings

if TYPE_CHECKING:
    from service.index.stores import VectorStores
    from service.postgres.database import Database


def open_indexes(settings: Settings, database: Database | None = None) -> IndexFactory:
    """Return the factory of the index that the settings choose, with its vectors in the `database` if there is one.

    It touches no file.
    """
    if settings.index.kind == "pgvector":
        return _pgvector(settings, database)
    stores = _stores(settings, database)
    if settings.index.kind == "exact":
        from service.index.exact import ExactIndexes  # noqa: PLC0415

        return ExactIndexes(stores)
    # Imported here, so that an installation without FAISS's index does not load it.
    from service.index.faiss.factory import FaissIndexes  # noqa: PLC0415

    return FaissIndexes(
        stores,
        settings.data_folder.graphs,
        graph_from=settings.index.hnsw_from,
        min_recall=settings.index.min_recall,
    )


def _pgvector(settings: Settings, database: Database | None) -> IndexFactory:
    if database is None:
        raise StorageFailed("INSTAR_INDEX__KIND=pgvector needs a database: name one in INSTAR_STORE, or take faiss")
    from service.index.pgvector.factory import PgvectorIndexes  # noqa: PLC0415

    return PgvectorIndexes(database, graph_from=settings.index.hnsw_from, min_recall=settings.index.min_recall)


def open_keywords(settings: Settings, documents: Documents) -> KeywordIndex:
    """Return the index of the words of `documents`, as far as it is on the disk."""
    from service.index.keywords.index import TwoPartKeywords  # noqa: PLC0415

    return TwoPartKeywords(settings.data_folder.words, documents)


def nearest_rows(vectors: Vectors, k: int) -> NDArray[np.int64]:
    """Return the `k` nearest rows of each unit vector (n, dimensions), without itself: (n, k), best first.

    A row for which fewer were looked at stands for itself in the places that are left.
    """
    from service.index.faiss import neighbours  # noqa: PLC0415

    return neighbours.nearest_rows(vectors, k)


def _stores(settings: Settings, database: Database | None) -> VectorStores:
    if database is None:
        from service.index.vector_folder import VectorFolder  # noqa: PLC0415

        return VectorFolder(settings.data_folder.vectors)
    from service.index.postgres.tables import VectorTables  # noqa: PLC0415

    return VectorTables(database)
