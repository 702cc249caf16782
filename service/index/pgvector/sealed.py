"""The sealed part of a collection: the numbers of its windows in memory, and their vectors in PostgreSQL."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from service.index.base import Mask
from service.index.pgvector.binary import Points
from service.index.pgvector.conditions import Conditions
from service.index.pgvector.entries import Entries
from service.index.pgvector.graph import Tuned
from service.index.pgvector.point_search import MOST_EFFORT, PointSearch, require
from service.index.rows import best_of_each, bounds, first_rows
from service.machine.arrays import Vectors, Windows

Positions = NDArray[np.int64]
# Scores this near to each other may be those of equal vectors, summed in different orders.
SAME = 1e-6
# The error of a score of halves is below it: each number is off by 2 ** -11 of itself at the most, on both sides.
_MARGIN = 2.0**-10
# Points more than documents that are wanted, so that a walk seldom has to be repeated.
_MORE = 20
# Points compared one by one in the time that a walk takes for one point, or for one unit of effort.
LOOKED_AT = 12
# Up to this share of a collection, naming the points that are allowed costs less than comparing all.
_NAMED_SHARE = 0.25


@dataclass(frozen=True, eq=False)
class Sealed:
    """A sealed part, which never changes. Position i is window i of `entries`. Without `tuned` the search is exact."""

    points: PointSearch
    entries: Entries
    tuned: Tuned | None = None
    conditions: Conditions = field(default_factory=Conditions)

    @cached_property
    def windowed(self) -> bool:
        """Whether some document is not one window that is the whole text."""
        return bool(self.entries.spans.any())

    def windows(self, starts: Positions, ends: Positions) -> list[Windows]:
        """Return the windows of documents that are those from each start to before each end."""
        if not len(starts):
            return []
        positions = np.concatenate([np.arange(start, end) for start, end in zip(starts, ends, strict=True)])
        points, rows = np.unique(self.entries.points[positions], return_inverse=True)
        vectors = self.points.vectors(points)[rows]
        cuts = np.cumsum(ends - starts)[:-1]
        spans = self.entries.spans[positions]
        return [Windows(*each) for each in zip(np.split(vectors, cuts), np.split(spans, cuts), strict=True)]

    def scores(self, query: Vectors, positions: Positions) -> Vectors:
        """Return the cosines (n,) of live positions with a unit vector (dimensions,), but for the order of summation.

        All points of the collection are compared. Those of positions that died long ago are gone.
        """
        distinct, rows = np.unique(self.entries.points[positions], return_inverse=True)
        points, scores = self.points.scores(query)
        require(points, distinct)
        return scores[np.searchsorted(points, distinct)][rows]

    def full_scores(self, query: Vectors, positions: Positions) -> Vectors:
        """Return the cosines (n,) of some positions. Equal vectors have equal cosines."""
        points, rows = np.unique(self.entries.points[positions], return_inverse=True)
        # Sum row by row, because in a matrix product the sums of equal rows can differ in the last bit.
        scores: Vectors = np.einsum("ij,j->i", self.points.vectors(points), query)
        return scores[rows]

    def nearest(self, query: Vectors, k: int, allowed: Mask) -> tuple[Positions, Vectors]:
        """Find the windows of the `k` nearest documents among the `allowed` positions (n,), and of all that tie.

        Returns positions, and their cosines with the unit vector (dimensions,).
        """
        possible = int(np.count_nonzero(allowed))
        if not possible:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        walked = None if self.tuned is None else self._walk(query, k, allowed, possible, self.tuned)
        return walked or self._compare(query, k, allowed, possible)

    def _walk(
        self, query: Vectors, k: int, allowed: Mask, possible: int, tuned: Tuned
    ) -> tuple[Positions, Vectors] | None:
        """Walk through the graph, farther and farther.

        None if that would cost more than comparing all that are allowed, or reaches too few.
        """
        limit = max((k + _MORE) * len(allowed) // possible, tuned.effort if tuned.effort > MOST_EFFORT else 0)
        while LOOKED_AT * max(limit, tuned.effort) < possible:
            points, vectors = self.points.near(query, limit, tuned.effort)
            point_scores: Vectors = np.einsum("ij,j->i", vectors, query)
            positions, scores = self._lying_on(points, point_scores, allowed)
            best = self._best(positions, scores)
            if len(points) < limit:
                # The walk reaches no more, which need not be all.
                return None
            if len(best) >= k and np.partition(best, -k)[-k] - _MARGIN > point_scores.min():
                return positions, scores
            limit *= 4
        return None

    def _compare(self, query: Vectors, k: int, allowed: Mask, possible: int) -> tuple[Positions, Vectors]:
        """Compare all that are allowed, and the best of them once more in full."""
        among = None
        if possible <= _NAMED_SHARE * len(allowed):
            among = np.unique(self.entries.points[allowed])
        positions, scores = self._lying_on(*self.points.scores(query, among), allowed)
        best = self._best(positions, scores)
        if len(best) > k:
            near = scores >= np.partition(best, -k)[-k] - SAME
            positions = positions[near]
        return positions, self.full_scores(query, positions)

    def _lying_on(self, points: Points, scores: Vectors, allowed: Mask) -> tuple[Positions, Vectors]:
        """Return the allowed positions on ascending points, ascending, and their scores."""
        order, points_in_order = self._by_point
        starts, ends = bounds(points_in_order, points)
        counts = ends - starts
        before = np.cumsum(counts) - counts
        positions = order[np.arange(counts.sum()) + np.repeat(starts - before, counts)]
        scores = np.repeat(scores, counts)
        kept = np.flatnonzero(allowed[positions])
        kept = kept[np.argsort(positions[kept])]
        return positions[kept], scores[kept]

    def _best(self, positions: Positions, scores: Vectors) -> Vectors:
        """Return the best score of each document that the ascending positions belong to."""
        return best_of_each(scores, first_rows(self.entries.seqs[positions])) if len(positions) else scores

    @cached_property
    def _by_point(self) -> tuple[Positions, Points]:
        """The positions in the order of their points, and these points."""
        order = np.argsort(self.entries.points, kind="stable")
        return order, self.entries.points[order]
