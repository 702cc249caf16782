"""Counts the values of metadata keys among all documents that a search could find, whatever its page shows of them.

These are the documents that pass the filter; in keyword mode, they also have a word of the query.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from service.corpus.base import Documents, Seqs
from service.corpus.facets import ValueCount, most_frequent
from service.search.scope import Scope

Counts = Mapping[str, Sequence[ValueCount]]
# Up to this many documents, reading each one costs less than going through all values of a key.
_READ_ONE_BY_ONE = 1000
# More documents than an index has.
_ALL = 1 << 40


@dataclass(frozen=True, slots=True)
class FacetSpec:
    """The metadata keys whose values are counted, and the most values of each that are told."""

    keys: Sequence[str]
    limit: int


class FacetCounter:
    """Counts documents of the index that it is given. Safe from any thread."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def count(self, scope: Scope, collection: str, query: str | None, facets: FacetSpec) -> Counts:
        """Count the values among all documents of the scope, or among those with a word of `query`: by key."""
        if query is None:
            seqs = self._documents.live_in(collection)
            seqs = seqs[scope.view.holds(seqs, scope.allowed)]
        else:
            seqs = _with_words(scope, query)
        if len(seqs) > _READ_ONE_BY_ONE:
            count = self._documents.count_values
            return {key: count(collection, key, seqs, facets.limit) for key in facets.keys}
        metadata = [document.metadata for document in self._documents.fetch(seqs.tolist()).values()]
        return {key: most_frequent(metadata, key, facets.limit) for key in facets.keys}


def _with_words(scope: Scope, query: str) -> Seqs:
    """List the documents that have a word of the query, ascending."""
    seqs = [np.empty(0, dtype=np.int64)]
    with closing(scope.keyword_ranking(query, _ALL).portions) as portions:
        for portion in portions:
            portion_seqs = np.array([seq for seq, _ in portion], dtype=np.int64)
            seqs.append(portion_seqs[scope.view.holds(portion_seqs, scope.allowed)])
    return np.sort(np.concatenate(seqs))
