"""The part of a view that one search looks at."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from service.index.base import Allowed, View
from service.index.keywords.base import KeywordRanking, KeywordView
from service.machine.arrays import Vectors
from service.search.fusion import Scored

# The first documents that have words of a query, and the highest score that a text could have for it.
KeywordPart = tuple[Scored, float]
Portions = Generator[list[tuple[int, float]]]
# Up to so many allowed documents are looked for by their numbers. Among more, the best of all are looked through.
_FEW = 1000
# Once so many were looked through, up to `_SEVERAL` allowed documents are looked for by their numbers, too: others may
# have the words of the query, and these documents none. It costs about as much as to look through as many others, so it
# is done only if the collection has `_RARE` times as many documents: most of those could be left to look through.
_LOOKED_THROUGH, _SEVERAL, _RARE = 1000, 20_000, 20


@dataclass(frozen=True, slots=True)
class Scope:
    """The documents `allowed` of a view of a collection (None: all), and a later moment of their words."""

    view: View
    allowed: Allowed | None
    collection: str
    words: KeywordView

    def dense(self, vectors: Vectors, depth: int) -> list[Scored]:
        """Return the first `depth` by vector, for each of the vectors (n, dimensions)."""
        return [
            list(zip(seqs.tolist(), scores.tolist(), strict=True))
            for seqs, scores in self.view.search(vectors, depth, self.allowed)
        ]

    def keyword_ranking(self, query: str, depth: int) -> KeywordRanking:
        """Rank by keyword; `view` may not hold all of the documents. The first portion has about `depth` of them."""
        few = None if self.allowed is None else self.view.few(self.allowed, _FEW)
        ranking = self.words.rank(query, self.collection, depth, few)
        if self.allowed is None or few is not None or depth > _LOOKED_THROUGH:
            return ranking
        return KeywordRanking(self._narrowing(ranking.portions, query), ranking.max_score)

    def by_keyword(self, query: str, depth: int) -> KeywordPart:
        """Return the first `depth` by keyword."""
        scored: list[tuple[int, float]] = []
        ranking = self.keyword_ranking(query, depth)
        with closing(ranking.portions) as portions:
            for portion in portions:
                held = self.view.holds(np.array([seq for seq, _ in portion], dtype=np.int64), self.allowed)
                scored += [portion[position] for position in np.flatnonzero(held)[: depth - len(scored)]]
                if len(scored) == depth:
                    break
        return scored, ranking.max_score

    def _narrowing(self, portions: Portions, query: str) -> Portions:
        """Yield the first portions, and then the rest of the allowed documents alone unless these are too many."""
        yielded: set[int] = set()
        with closing(portions):
            for portion in portions:
                yield portion
                yielded.update(seq for seq, _ in portion)
                if len(yielded) >= _LOOKED_THROUGH:
                    break
            else:
                return
            several = self.view.few(self.allowed, min(_SEVERAL, self.words.documents(self.collection) // _RARE))
            if several is None:
                yield from portions
                return
        # In one portion, because each would look for all of the numbers again.
        with closing(self.words.rank(query, self.collection, len(several), several).portions) as rest:
            for portion in rest:
                remaining = [scored for scored in portion if scored[0] not in yielded]
                if remaining:
                    yield remaining

    def narrow(self, part: KeywordPart) -> KeywordPart:
        """Return the part of another scope without the documents that this one does not have."""
        scored, max_score = part
        held = self.view.holds(np.array([seq for seq, _ in scored], dtype=np.int64), self.allowed)
        return [pair for pair, is_held in zip(scored, held.tolist(), strict=True) if is_held], max_score
