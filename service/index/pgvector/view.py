"""One moment of a collection: which windows of a sealed part are live, and the first rows of a fresh part."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from service.corpus.base import Seqs
from service.corpus.filters import Filter, evaluate
from service.index.base import Mask, Meeting, Ranks
from service.index.pgvector.fresh import Fresh
from service.index.pgvector.sealed import SAME, Sealed
from service.index.rows import (
    Rows,
    best_of_each,
    bounds,
    count_documents,
    first_of_each,
    first_rows,
    positions_of,
)
from service.machine.arrays import Spans, Vectors, Windows


@dataclass(frozen=True, slots=True)
class Selection:
    """The documents that pass a filter: masks over the positions of the sealed part and the rows of the fresh one."""

    sealed: Mask
    fresh: Mask


@dataclass(frozen=True, eq=False)
class PgvectorView:
    """One moment of a collection. `sealed_live` says which positions (n,) of the sealed part are live."""

    sealed: Sealed | None
    sealed_live: Mask
    fresh: Fresh
    windowed: bool

    def search(self, queries: Vectors, k: int, allowed: Selection | None) -> list[tuple[Seqs, Vectors]]:
        """Find, among the documents `allowed` (None: all), the `k` nearest ones of each unit vector (n, dimensions).

        Returns sequence numbers and cosines for each query, best first. Equal scores keep the order of writing.
        """
        return [self._nearest(query, k, allowed) for query in queries]

    def _nearest(self, query: Vectors, k: int, allowed: Selection | None) -> tuple[Seqs, Vectors]:
        rows = self.fresh.rows[np.flatnonzero(self._fresh_allowed(allowed))]
        # Sum row by row, because in a matrix product the sums of equal rows can differ in the last bit.
        seqs, scores = rows.seqs, np.einsum("ij,j->i", rows.vectors, query)
        if self.sealed is not None:
            positions, sealed_scores = self.sealed.nearest(query, k, self._sealed_allowed(allowed))
            seqs = np.concatenate((self.sealed.entries.seqs[positions], seqs))
            scores = np.concatenate((sealed_scores, scores))
        order = np.lexsort((seqs, -scores))
        seqs, scores = first_of_each(seqs[order], scores[order])
        return seqs[:k], scores[:k]

    def holds(self, seqs: Seqs, allowed: Selection | None) -> Mask:
        """Say which of `seqs` (n,) are allowed documents of the view, as a mask (n,)."""
        held = _has(self.fresh.seqs, self._fresh_allowed(allowed), seqs)
        return held | _has(self._sealed_seqs, self._sealed_allowed(allowed), seqs)

    def few(self, allowed: Selection | None, most: int) -> Seqs | None:
        """Return the allowed documents of the view, ascending; None if they have more than `most` windows."""
        sealed, fresh = self._sealed_allowed(allowed), self._fresh_allowed(allowed)
        if np.count_nonzero(sealed) + np.count_nonzero(fresh) > most:
            return None
        return np.unique(np.concatenate((self._sealed_seqs[sealed], self.fresh.seqs[fresh])))

    def windows(self, seqs: Seqs) -> list[Windows]:
        """Return the windows of documents that the view holds."""
        starts, ends = bounds(self._sealed_seqs, seqs)
        is_sealed = starts < ends
        sealed = iter(self.sealed.windows(starts[is_sealed], ends[is_sealed]) if self.sealed is not None else ())
        fresh = iter(self.fresh.rows.windows(seqs[~is_sealed]))
        return [next(sealed if is_in_sealed else fresh) for is_in_sealed in is_sealed.tolist()]

    def spans(self, seqs: Seqs) -> tuple[Seqs, Spans]:
        """Return, for each window of ascending documents in the view, its document (n,) and its span (n, 2)."""
        fresh = positions_of(self.fresh.seqs, seqs)
        numbers, spans = self.fresh.seqs[fresh], self.fresh.rows.spans[fresh]
        if self.sealed is not None:
            sealed = positions_of(self._sealed_seqs, seqs)
            numbers = np.concatenate((self._sealed_seqs[sealed], numbers))
            spans = np.concatenate((self.sealed.entries.spans[sealed], spans))
            order = np.argsort(numbers, kind="stable")
            numbers, spans = numbers[order], spans[order]
        return numbers, spans

    def ranks(self, query: Vectors, seqs: Seqs, allowed: Selection | None) -> tuple[Ranks, Vectors]:
        """Return the ranks, from 1, and the cosines of allowed documents among all allowed ones.

        Every window is compared with the unit vector `query`, so a rank is exact even if the index is a graph.
        """
        fresh = self._fresh_allowed(allowed)
        numbers = self.fresh.seqs[fresh]
        scores: Vectors = np.einsum("ij,j->i", self.fresh.rows.vectors[fresh], query)
        if self.sealed is not None:
            positions = np.flatnonzero(self._sealed_allowed(allowed))
            sealed_scores = self.sealed.scores(query, positions)
            numbers = np.concatenate((self._sealed_seqs[positions], numbers))
            scores = np.concatenate((sealed_scores, scores))
            unsure = np.flatnonzero(_near_any(sealed_scores, scores[positions_of(numbers, seqs)]))
            # PostgreSQL sums in another order, in which equal vectors of both parts can have scores that differ.
            scores[unsure] = self.sealed.full_scores(query, positions[unsure])
        starts = first_rows(numbers)
        numbers, scores = numbers[starts], best_of_each(scores, starts)
        wanted = np.searchsorted(numbers, seqs)
        ranks = [
            1 + np.count_nonzero(scores > scores[position]) + np.count_nonzero(scores[:position] == scores[position])
            for position in wanted
        ]
        return np.array(ranks, dtype=np.int64), scores[wanted]

    def select(self, tree: Filter, meeting: Meeting) -> Selection:
        """Select the documents that pass the filter. `meeting` says which meet a condition."""
        fresh = evaluate(tree, lambda condition: meeting(condition, self.fresh.seqs))
        sealed = self.sealed
        if sealed is None:
            return Selection(np.empty(0, np.bool_), fresh)
        seqs = sealed.entries.seqs
        return Selection(evaluate(tree, lambda condition: sealed.conditions.matches(condition, seqs, meeting)), fresh)

    def after(self, added: Rows | None, died: Sequence[int]) -> "PgvectorView":
        """Return the view with documents added, whose numbers are above all others, and the `died` ones removed."""
        live = self.sealed_live
        positions = positions_of(self._sealed_seqs, np.asarray(died, np.int64))
        if len(positions):
            live = live.copy()
            live[positions] = False
        windowed = self.windowed or (added is not None and bool(added.spans.any()))
        return replace(self, sealed_live=live, fresh=self.fresh.after(added, died), windowed=windowed)

    @property
    def size(self) -> int:
        """The number of windows, dead ones included."""
        return len(self._sealed_seqs) + self.fresh.count

    @property
    def live(self) -> int:
        """The number of windows."""
        return int(np.count_nonzero(self.sealed_live)) + self.unsealed

    @property
    def documents(self) -> int:
        """The number of documents."""
        sealed, fresh = self._sealed_seqs[self.sealed_live], self.fresh.seqs[self.fresh.live]
        return count_documents(sealed) + count_documents(fresh)

    @property
    def unsealed(self) -> int:
        """The number of windows in the fresh part."""
        return int(np.count_nonzero(self.fresh.live))

    @property
    def sealed_dead(self) -> int:
        """The number of dead windows in the sealed part."""
        return len(self.sealed_live) - int(np.count_nonzero(self.sealed_live))

    @property
    def dead(self) -> Seqs:
        """The documents of the sealed part that have died, ascending."""
        return np.unique(self._sealed_seqs[~self.sealed_live])

    @property
    def _sealed_seqs(self) -> Seqs:
        return np.empty(0, np.int64) if self.sealed is None else self.sealed.entries.seqs

    def _sealed_allowed(self, allowed: Selection | None) -> Mask:
        return self.sealed_live if allowed is None else self.sealed_live & allowed.sealed

    def _fresh_allowed(self, allowed: Selection | None) -> Mask:
        return self.fresh.live if allowed is None else self.fresh.live & allowed.fresh


def _has(ascending: Seqs, allowed: Mask, seqs: Seqs) -> Mask:
    """Say which of `seqs` (n,) are in `ascending` at an allowed position. All windows of a document are allowed."""
    positions = np.searchsorted(ascending, seqs)
    held = positions < len(ascending)
    held[held] = (ascending[positions[held]] == seqs[held]) & allowed[positions[held]]
    return held


def _near_any(scores: Vectors, wanted: Vectors) -> Mask:
    """Say which scores (n,) are as good as the same as one that is wanted."""
    if not len(wanted):
        return np.zeros(len(scores), np.bool_)
    ascending = np.sort(wanted)
    behind = np.searchsorted(ascending, scores)
    above = np.abs(ascending[np.minimum(behind, len(ascending) - 1)] - scores)
    below = np.abs(ascending[np.maximum(behind - 1, 0)] - scores)
    near: Mask = np.minimum(above, below) <= 2 * SAME
    return near
