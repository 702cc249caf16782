"""One moment of a collection's index: a sealed part that never changes, and the first rows of a fresh part."""

from dataclasses import dataclass

import numpy as np

from service.corpus.base import Seqs
from service.corpus.filters import Filter, evaluate
from service.index.base import Mask, Meeting, Ranks
from service.index.faiss import bitsets as bits
from service.index.faiss.bitsets import Bits, Positions
from service.index.faiss.sealed import Sealed
from service.index.faiss.selection import Selection
from service.index.rows import Rows, best_of_each, bounds, count_documents, first_of_each, first_rows, positions_of
from service.machine import huge_pages
from service.machine.arrays import Empty, Spans, Vectors, Windows

# Scores this near to each other may be those of equal vectors, summed in different orders.
_SAME = 1e-6
# Up to this share of the fresh part, copying the rows that are allowed costs less than comparing all.
_COPIED_SHARE = 0.25


@dataclass(frozen=True)
class FaissView:
    """One moment of a collection's index.

    The first `fresh` rows of the fresh arrays belong to this view; later writes append behind them. `sealed_live` and
    `fresh_live` say which rows are live. None: all are. `windowed` says whether some document is not one window that is
    the whole text.
    """

    sealed: Sealed | None
    sealed_live: Bits | None
    fresh_rows: Rows
    fresh_live: Mask
    fresh: int
    windowed: bool

    def search(self, queries: Vectors, k: int, allowed: Selection | None) -> list[tuple[Seqs, Vectors]]:
        """Find, among the documents `allowed` (None: all), the `k` nearest ones of each unit vector (n, dimensions).

        Returns sequence numbers and cosines for each query, best first. Equal scores keep the order of writing.
        """
        if not self.windowed:
            return self._nearest_rows(queries, k, allowed)
        return self._nearest_documents(queries, k, allowed, 2 * k)

    def _nearest_documents(
        self, queries: Vectors, k: int, allowed: Selection | None, depth: int
    ) -> list[tuple[Seqs, Vectors]]:
        """Find the documents of the `depth` nearest rows, and go deeper if they are fewer than `k`."""
        rankings = self._nearest_rows(queries, depth, allowed)
        nearest = [first_of_each(seqs, scores) for seqs, scores in rankings]
        short = [
            number
            for number, ((seqs, _), (rows, _)) in enumerate(zip(nearest, rankings, strict=True))
            if len(seqs) < k and len(rows) == depth
        ]
        if short:
            deeper = self._nearest_documents(queries[short], k, allowed, 4 * depth)
            for number, ranking in zip(short, deeper, strict=True):
                nearest[number] = ranking
        return [(seqs[:k], scores[:k]) for seqs, scores in nearest]

    def _nearest_rows(self, queries: Vectors, k: int, allowed: Selection | None) -> list[tuple[Seqs, Vectors]]:
        live = self.fresh_live[: self.fresh]
        rows = np.flatnonzero(live if allowed is None else live & allowed.fresh)
        if self.sealed is None:
            return [_best(*self._nearest_fresh(query, k, rows), k) for query in queries]
        hits = self.sealed.search(queries, k, self._sealed_allowed(allowed))
        return [
            self._nearest_of_both(query, k, rows, self.sealed, positions[positions >= 0], scores[positions >= 0])
            for query, scores, positions in zip(queries, *hits, strict=True)
        ]

    def _nearest_of_both(
        self, query: Vectors, k: int, rows: Positions, sealed: Sealed, positions: Positions, scores: Vectors
    ) -> tuple[Seqs, Vectors]:
        """Rank the `positions` of the sealed part, which have these scores, together with `rows` of the fresh part."""
        seqs = sealed.seqs[positions]
        if not len(rows):
            return _best(seqs, scores, k)
        # FAISS sums in another order, in which equal vectors of both parts can have scores that differ.
        scores = np.einsum("ij,j->i", sealed.vectors_of(positions), query)
        later, later_scores = self._nearest_fresh(query, k, rows)
        return _best(np.concatenate((seqs, later)), np.concatenate((scores, later_scores)), k)

    def _nearest_fresh(self, query: Vectors, k: int, rows: Positions) -> tuple[Seqs, Vectors]:
        """Find the `k` nearest of these rows of the fresh part, and all that tie with the last one."""
        if len(rows) > k:
            scores = self._fresh_scores(query, rows)
            rows = rows[scores >= np.partition(scores, -k)[-k] - _SAME]
        # Sum row by row, because in a matrix product the sums of equal rows can differ in the last bit.
        return self.fresh_rows.seqs[rows], np.einsum("ij,j->i", self.fresh_rows.vectors[rows], query)

    def _fresh_scores(self, query: Vectors, rows: Positions) -> Vectors:
        """Return the cosines (n,) of `rows` of the fresh part, but for the order of summation."""
        if len(rows) < _COPIED_SHARE * self.fresh:
            few: Vectors = self.fresh_rows.vectors[rows] @ query
            return few
        scores: Vectors = self.fresh_rows.vectors[: self.fresh] @ query
        return scores[rows]

    def holds(self, seqs: Seqs, allowed: Selection | None) -> Mask:
        """Say which of `seqs` (n,) are allowed documents of the view, as a mask (n,)."""
        held = np.zeros(len(seqs), dtype=np.bool_)
        if self.sealed is not None:
            matched, positions = _located(self.sealed.seqs, seqs)
            live = self._sealed_allowed(allowed)
            held[matched] = True if live is None else bits.has(live, positions)
        matched, positions = _located(self._fresh_seqs, seqs)
        held[matched] = (
            self.fresh_live[positions]
            if allowed is None
            else (self.fresh_live[: self.fresh] & allowed.fresh)[positions]
        )
        return held

    def few(self, allowed: Selection | None, most: int) -> Seqs | None:
        """Return the allowed documents of the view, ascending; None if they have more than `most` windows."""
        fresh = self.fresh_live[: self.fresh]
        seqs = self._fresh_seqs[fresh if allowed is None else fresh & allowed.fresh]
        if self.sealed is not None:
            size = len(self.sealed.seqs)
            live = self._sealed_allowed(allowed)
            if (size if live is None else bits.count(live, size)) > most:
                return None
            sealed = self.sealed.seqs if live is None else self.sealed.seqs[bits.members(live, size)]
            seqs = np.concatenate((sealed, seqs))
        return np.unique(seqs) if len(seqs) <= most else None

    def windows(self, seqs: Seqs) -> list[Windows]:
        """Return the windows of documents that the view holds."""
        fresh = self.fresh_rows[: self.fresh]
        if self.sealed is None:
            return fresh.windows(seqs)
        starts, ends = bounds(self.sealed.seqs, seqs)
        later = iter(fresh.windows(seqs[starts == ends]))
        return [
            self.sealed.windows(start, end) if start < end else next(later)
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        ]

    def spans(self, seqs: Seqs) -> tuple[Seqs, Spans]:
        """Return, for each window of ascending documents in the view, its document (n,) and its span (n, 2)."""
        fresh = self.fresh_rows[: self.fresh]
        later = positions_of(fresh.seqs, seqs)
        if self.sealed is None:
            return fresh.seqs[later], fresh.spans[later]
        first = positions_of(self.sealed.seqs, seqs)
        return (
            np.concatenate((self.sealed.seqs[first], fresh.seqs[later])),
            np.concatenate((self.sealed.spans[first], fresh.spans[later])),
        )

    def ranks(self, query: Vectors, seqs: Seqs, allowed: Selection | None) -> tuple[Ranks, Vectors]:
        """Return the ranks, from 1, and the cosines of allowed documents among all allowed ones.

        Every window is compared with the unit vector `query`, so a rank is exact even if the index is a graph.
        """
        # Sum row by row, because in a matrix product the sums of equal rows can differ in the last bit.
        fresh = np.einsum("ij,j->i", self.fresh_rows.vectors[: self.fresh], query)
        scores, numbers = fresh, self._fresh_seqs
        if self.sealed is not None:
            scores = np.concatenate((self.sealed.scores(query), fresh))
            numbers = np.concatenate((self.sealed.seqs, numbers))
        held = self.holds(numbers, allowed)
        numbers, scores = numbers[held], scores[held]
        if self.windowed:
            starts = first_rows(numbers)
            numbers, scores = numbers[starts], best_of_each(scores, starts)
        _, positions = _located(numbers, seqs)
        ranks = [
            1 + np.count_nonzero(scores > scores[position]) + np.count_nonzero(scores[:position] == scores[position])
            for position in positions
        ]
        return np.array(ranks, dtype=np.int64), scores[positions]

    def select(self, tree: Filter, meeting: Meeting) -> Selection:
        """Select the documents that pass the filter. `meeting` says which meet a condition."""
        fresh = self._fresh_seqs
        if self.sealed is None:
            return Selection(None, evaluate(tree, lambda condition: meeting(condition, fresh)))
        return self.sealed.conditions.select(tree, self.sealed.seqs, fresh, meeting)

    def gone_since(self, before: "FaissView") -> Seqs:
        """List the documents of `before`, an earlier view with the same sealed part, that have died since."""
        rows = slice(before.fresh)
        fresh = before.fresh_rows.seqs[rows][before.fresh_live[rows] & ~self.fresh_live[rows]]
        if self.sealed is None or self.sealed_live is None:
            return np.unique(fresh)
        size = len(self.sealed.seqs)
        live_before = bits.everything(size) if before.sealed_live is None else before.sealed_live
        sealed = self.sealed.seqs[bits.members(live_before & ~self.sealed_live, size)]
        return np.unique(np.concatenate((sealed, fresh)))

    def live_rows(self, empty: Empty = huge_pages.empty) -> Rows:
        """List the rows of all documents in the view, ascending. `empty` makes the array of their vectors."""
        return self._listed(slice(None) if self.sealed is None else self._sealed_rows(self.sealed), empty)

    def sealable_rows(self, empty: Empty = huge_pages.empty) -> Rows:
        """List all rows of the sealed part, dead ones too, and behind them those of the fresh part's documents."""
        return self._listed(slice(None), empty)

    def sealed_live_of(self, size: int) -> Bits | None:
        """Return the live ones among `size` rows that begin with those of the sealed part. None: all are."""
        if self.sealed is None or self.sealed_live is None:
            return None
        live = np.ones(size, np.bool_)
        live[: len(self.sealed.seqs)] = bits.unpack(self.sealed_live, len(self.sealed.seqs))
        return bits.pack(live)

    def _listed(self, selected: Mask | slice, empty: Empty) -> Rows:
        fresh = self.fresh_rows[: self.fresh][self.fresh_live[: self.fresh]]
        sealed = self.sealed
        left = np.empty(0, np.int64) if sealed is None else np.arange(len(sealed.seqs))[selected]
        # Nothing in between has all vectors: `empty` may make an array that lies on the disk.
        vectors: Vectors = empty((len(left) + len(fresh), fresh.vectors.shape[1]), np.float32)
        vectors[len(left) :] = fresh.vectors
        if sealed is None:
            return Rows(fresh.seqs, vectors, fresh.spans)
        sealed.copy_vectors(left, vectors[: len(left)])
        return Rows(
            np.concatenate((sealed.seqs[left], fresh.seqs)), vectors, np.concatenate((sealed.spans[left], fresh.spans))
        )

    @property
    def size(self) -> int:
        """The number of rows, dead ones included."""
        return self.fresh + (0 if self.sealed is None else len(self.sealed.seqs))

    @property
    def live(self) -> int:
        """The number of windows in the view."""
        return self.size - self.deleted

    @property
    def documents(self) -> int:
        """The number of documents in the view."""
        if not self.windowed:
            return self.live
        fresh = self._fresh_seqs[self.fresh_live[: self.fresh]]
        sealed = 0 if self.sealed is None else count_documents(self.sealed.seqs[self._sealed_rows(self.sealed)])
        return sealed + count_documents(fresh)

    @property
    def unsealed(self) -> int:
        """The number of windows in the fresh part."""
        return int(np.count_nonzero(self.fresh_live[: self.fresh]))

    @property
    def deleted(self) -> int:
        """The number of dead windows that still take room."""
        return self.sealed_dead + self.fresh - self.unsealed

    @property
    def sealed_dead(self) -> int:
        """The number of dead windows in the sealed part."""
        if self.sealed is None or self.sealed_live is None:
            return 0
        size = len(self.sealed.seqs)
        return size - bits.count(self.sealed_live, size)

    @property
    def _fresh_seqs(self) -> Seqs:
        return self.fresh_rows.seqs[: self.fresh]

    def _sealed_rows(self, sealed: Sealed) -> Mask | slice:
        return slice(None) if self.sealed_live is None else bits.unpack(self.sealed_live, len(sealed.seqs))

    def _sealed_allowed(self, allowed: Selection | None) -> Bits | None:
        if allowed is None or allowed.sealed is None:
            return self.sealed_live
        return allowed.sealed if self.sealed_live is None else allowed.sealed & self.sealed_live


def _best(seqs: Seqs, scores: Vectors, k: int) -> tuple[Seqs, Vectors]:
    order = np.lexsort((seqs, -scores))[:k]
    return seqs[order], scores[order]


def _located(ascending: Seqs, wanted: Seqs) -> tuple[Positions, Positions]:
    """Return the indices of those `wanted` that are in `ascending`, and their positions there."""
    positions = np.searchsorted(ascending, wanted)
    candidates = np.flatnonzero(positions < len(ascending))
    matched = candidates[ascending[positions[candidates]] == wanted[candidates]]
    return matched, positions[matched]
