"""The choice of the indexes of vectors and words: the one place that knows every implementation."""

from service.corpus.base import Documents
from service.index.base import IndexFactory
from service.index.keywords.base import KeywordIndex
from service.settings import Settings


def open_indexes(settings: Settings) -> IndexFactory:
    """Return the factory of the index that the settings choose. It touches no file."""
    if settings.index.kind == "exact":
        from service.index.exact import ExactIndexes  # noqa: PLC0415

        return ExactIndexes(settings.data_folder.vectors)
    # Imported here, so that an installation without FAISS's index does not load it.
    from service.index.faiss.factory import FaissIndexes  # noqa: PLC0415

    return FaissIndexes(settings.data_folder, graph_from=settings.index.hnsw_from, min_recall=settings.index.min_recall)


def open_keywords(settings: Settings, documents: Documents) -> KeywordIndex:
    """Return the index of the words of `documents`, as far as it is on the disk."""
    from service.index.keywords.index import TwoPartKeywords  # noqa: PLC0415

    return TwoPartKeywords(settings.data_folder.words, documents)
