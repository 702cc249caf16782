"""Exact search in NumPy, which compares a query with every vector of a collection.

It is for small installations, and the tests hold every other index against it. The time of a search and the memory that
a write copies grow with the documents of the collection.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from service.corpus.base import Change, Seqs
from service.corpus.filters import Filter, evaluate
from service.index.base import (
    GivenUp,
    IndexStats,
    IsGivenUp,
    Maintenance,
    Mask,
    Meeting,
    Needed,
    Publish,
    Questions,
    Ranks,
    VectorsMissing,
)
from service.index.rows import Rows, best_of_each, count_documents, first_rows, joined, positions_of, room
from service.index.stores import VectorSource, VectorStores
from service.machine.arrays import Spans, Vectors, Windows

# The index has the vectors once, and a write copies them.
_MEMORY_FACTOR = 2.0


@dataclass(frozen=True, eq=False)
class ExactView:
    """The rows of a collection's documents."""

    rows: Rows

    @cached_property
    def windowed(self) -> bool:
        """Whether some document is not one window that is the whole text."""
        return bool(self.rows.spans.any())

    def search(self, queries: Vectors, k: int, allowed: Mask | None) -> list[tuple[Seqs, Vectors]]:
        """Find the `k` nearest documents of each unit vector (n, dimensions), best first; ties in written order."""
        positions = np.arange(len(self.rows)) if allowed is None else np.flatnonzero(allowed)
        starts = first_rows(self.rows.seqs[positions])
        results = []
        for query in queries:
            # Sum row by row, because in a matrix product the sums of equal rows can differ in the last bit.
            scores = best_of_each(np.einsum("ij,j->i", self.rows.vectors, query)[positions], starts)
            best = np.argsort(-scores, kind="stable")[:k]
            results.append((self.rows.seqs[positions[starts[best]]], scores[best]))
        return results

    def holds(self, seqs: Seqs, allowed: Mask | None) -> Mask:
        """Say which of `seqs` (n,) are allowed documents of the view, as a mask (n,)."""
        return np.isin(seqs, self.rows.seqs if allowed is None else self.rows.seqs[allowed])

    def few(self, allowed: Mask | None, most: int) -> Seqs | None:
        """Return the allowed documents of the view, ascending; None if they have more than `most` windows."""
        seqs = self.rows.seqs if allowed is None else self.rows.seqs[allowed]
        return np.unique(seqs) if len(seqs) <= most else None

    def windows(self, seqs: Seqs) -> list[Windows]:
        """Return the windows of documents that the view holds."""
        return self.rows.windows(seqs)

    def spans(self, seqs: Seqs) -> tuple[Seqs, Spans]:
        """Return, for each window of ascending documents in the view, its document (n,) and its span (n, 2)."""
        positions = positions_of(self.rows.seqs, seqs)
        return self.rows.seqs[positions], self.rows.spans[positions]

    def ranks(self, query: Vectors, seqs: Seqs, allowed: Mask | None) -> tuple[Ranks, Vectors]:
        """Return the ranks, from 1, and the cosines of allowed documents among all allowed ones."""
        ((ranking, scores),) = self.search(query[None], len(self.rows), allowed)
        order = np.argsort(ranking)
        positions = order[np.searchsorted(ranking, seqs, sorter=order)]
        return positions + 1, scores[positions]

    def select(self, tree: Filter, meeting: Meeting) -> Mask:
        """Select the documents that pass the filter, as a mask (n,)."""
        return evaluate(tree, lambda condition: meeting(condition, self.rows.seqs))

    def after(self, added: Rows, died: Sequence[int]) -> "ExactView":
        """Return the view with rows added, whose numbers are above all others, and the `died` documents removed."""
        left = self.rows[~np.isin(self.rows.seqs, np.array(died, dtype=np.int64))]
        return ExactView(joined(left, added))


class ExactIndex:
    """One array of vectors for each collection. Only the writing thread may change what it shows."""

    def __init__(self, fingerprint: str, store: VectorSource) -> None:
        self.fingerprint = fingerprint
        self.dimensions = store.dimensions
        self.store = store
        self.complete_to = 0
        self.loaded = False
        self._none = room(0, store.dimensions)
        self._views: dict[str, ExactView] = {}
        # The deletes that came before the index was loaded.
        self._died: list[int] = []

    @property
    def collections(self) -> int:
        """The number of collections that have documents."""
        return len(self._views)

    def view(self, collection: str) -> ExactView:
        """Return what is searchable in the collection at this moment."""
        return self._views.get(collection) or ExactView(self._none)

    def has(self, collection: str) -> bool:
        """Say whether a document of the collection is searchable at this moment."""
        return collection in self._views

    def live(self) -> dict[str, Seqs]:
        """Return the documents that are searchable at this moment, ascending, by collection."""
        return {name: np.unique(view.rows.seqs) for name, view in self._views.items()}

    def stats(self) -> IndexStats:
        """Count the documents, all of which are compared one by one."""
        views = list(self._views.values())
        windows = sum(len(view.rows) for view in views)
        documents = sum(count_documents(view.rows.seqs) for view in views)
        return IndexStats(documents, windows, fresh=windows, deleted=0, recall={})

    def prepare(self, change: Change, rows: Rows | None) -> Publish:
        """Prepare the effect of one write: the deletes alone without `rows`, or if the index is not complete."""
        complete = self.loaded and rows is not None and self.complete_to == change.before and len(change.added) > 0
        view = self.view(change.collection)
        view = view.after(rows if complete and rows is not None else self._none, change.died)

        def publish() -> None:
            if not self.loaded:
                self._died.extend(change.died)
            if complete:
                self.complete_to = change.added[-1]
            self._show({change.collection: view})

        return publish

    def catch_up(self, gap: Mapping[str, Seqs], to: int) -> bool:
        """Add the documents of `gap`, all that were written after `complete_to`; false if one has no vector yet."""
        ready: dict[str, ExactView] = {}
        for collection, seqs in gap.items():
            rows = self.store.get(seqs)
            if rows is None:
                return False
            ready[collection] = self.view(collection).after(rows, ())
        self._show(ready)
        self.complete_to = to
        return True

    def build(
        self,
        live: Mapping[str, Seqs],
        to: int,
        given_up: IsGivenUp = lambda: False,
        questions: Questions | None = None,
    ) -> Publish:
        """Read the vectors of the documents in `live`. Raises VectorsMissing, and GivenUp between two collections."""
        del questions
        views: dict[str, ExactView] = {}
        for collection, seqs in live.items():
            if given_up():
                raise GivenUp
            rows = self.store.get(seqs)
            if rows is None:
                raise VectorsMissing
            views[collection] = ExactView(rows)

        def publish() -> None:
            self._show({collection: view.after(self._none, self._died) for collection, view in views.items()})
            self.complete_to = to
            self.loaded = True
            self._died = []

        return publish

    def maintain(self, questions: Questions | None = None) -> list[Maintenance]:
        """Return no work, because nothing makes an exact search faster."""
        del questions
        return []

    def rest(self) -> list[Maintenance]:
        """Return nothing: all vectors stay in memory."""
        return []

    def close(self) -> None:
        """Close the stored vectors. Views go on answering."""
        self.store.close()

    def _show(self, views: Mapping[str, ExactView]) -> None:
        self._views = {name: view for name, view in {**self._views, **views}.items() if len(view.rows)}


class ExactIndexes:
    """Exact indexes, whose vectors lie in `stores`."""

    def __init__(self, stores: VectorStores) -> None:
        self._stores = stores

    def open(self, fingerprint: str, dimensions: int) -> ExactIndex:
        """Open the index of a document fingerprint with its stored vectors. It is not loaded yet."""
        return ExactIndex(fingerprint, self._stores.open_store(fingerprint, dimensions))

    def stored(self, fingerprint: str) -> Seqs:
        """List the sequence numbers that have a vector of the fingerprint, ascending."""
        return self._stores.stored(fingerprint)

    def highest_stored(self) -> int:
        """Return the highest sequence number of a document that has a vector."""
        return self._stores.highest_stored()

    def forget(self, keep: Set[str], spare: int) -> list[str]:
        """Delete the vectors of all fingerprints, except `keep` and the `spare` others that were used last."""
        return self._stores.forget(keep, spare)

    def needed(self, windows: int, missing: int, dimensions: int) -> Needed:
        """Estimate what an index of so many windows takes, `missing` of which have no stored vector."""
        vector = dimensions * 4
        return Needed(int(windows * vector * _MEMORY_FACTOR), self._stores.disk(missing * vector))
