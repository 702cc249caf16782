"""Finds by comparing with the whole corpus what a process has missed whose changes the log does not have any more."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter

import numpy as np

from service.corpus.base import Change, Documents, Seqs
from service.index.base import VectorIndex
from service.index.keywords.base import KeywordIndex

# Documents whose texts are read together.
_READ_TOGETHER = 1000
_NONE = np.empty(0, np.int64)


def show_missed(documents: Documents, keywords: KeywordIndex, indexes: Sequence[VectorIndex]) -> None:
    """Show the deletes and the words that were missed: a step of the writing thread.

    The indexes are loaded. Vectors that they lack are left to `Builder.close_gap`.
    """
    live = documents.live()
    for collection, died in _died(live, indexes).items():
        change = Change(collection, keywords.complete_to, (), died)
        keywords.prepare(change, ())()
        for index in indexes:
            index.prepare(change, None)()
    for collection, added in _later(live, keywords.complete_to):
        versions = documents.fetch(added)
        there = tuple(seq for seq in added if seq in versions)
        change = Change(collection, keywords.complete_to, there, ())
        keywords.prepare(change, [versions[seq].text for seq in there])()


def _died(live: dict[str, Seqs], indexes: Sequence[VectorIndex]) -> dict[str, tuple[int, ...]]:
    """List, by collection, what an index shows and the corpus does not have."""
    died: dict[str, set[int]] = {}
    for index in indexes:
        for collection, seqs in index.live().items():
            gone = np.setdiff1d(seqs, live.get(collection, _NONE), assume_unique=True)
            died.setdefault(collection, set()).update(gone.tolist())
    return {collection: tuple(sorted(seqs)) for collection, seqs in died.items() if seqs}


def _later(live: dict[str, Seqs], after: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the documents above `after` in the order of their numbers, in portions of one collection each."""
    later = sorted((seq, collection) for collection, seqs in live.items() for seq in seqs[seqs > after].tolist())
    for collection, alike in groupby(later, key=itemgetter(1)):
        added = [seq for seq, _ in alike]
        for start in range(0, len(added), _READ_TOGETHER):
            yield collection, tuple(added[start : start + _READ_TOGETHER])
