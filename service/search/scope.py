"""The part of a view that one search looks at."""

from contextlib import closing
from dataclasses import dataclass

import numpy as np

from service.corpus.base import Keywords
from service.index.base import Allowed, View
from service.machine.arrays import Vectors
from service.search.fusion import Scored

# The first documents that have words of a query, and the highest score that a text could have for it.
KeywordPart = tuple[Scored, float]


@dataclass(frozen=True, slots=True)
class Scope:
    """The documents `allowed` of a view (None: all). Words are looked up in `collection`, or in all if it is None."""

    view: View
    allowed: Allowed | None
    collection: str | None

    def dense(self, vectors: Vectors, depth: int) -> list[Scored]:
        """Return the first `depth` by vector, for each of the vectors (n, dimensions)."""
        return [
            list(zip(seqs.tolist(), scores.tolist(), strict=True))
            for seqs, scores in self.view.search(vectors, depth, self.allowed)
        ]

    def by_keyword(self, keywords: Keywords, query: str, depth: int) -> KeywordPart:
        """Return the first `depth` by keyword."""
        scored: list[tuple[int, float]] = []
        ranking = keywords.rank(query, self.collection)
        with closing(ranking.portions) as portions:
            for portion in portions:
                held = self.view.holds(np.array([seq for seq, _ in portion], dtype=np.int64), self.allowed)
                scored += [portion[position] for position in np.flatnonzero(held)[: depth - len(scored)]]
                if len(scored) == depth:
                    break
        return scored, ranking.max_score

    def narrow(self, part: KeywordPart) -> KeywordPart:
        """Return the part of another scope without the documents that this one does not have."""
        scored, max_score = part
        held = self.view.holds(np.array([seq for seq, _ in scored], dtype=np.int64), self.allowed)
        return [pair for pair, is_held in zip(scored, held.tolist(), strict=True) if is_held], max_score
