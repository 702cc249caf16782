"""Which documents of a view answer a query, and in what order: by vector, by keyword, or by both."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

import numpy as np

from service.corpus.filters import Filter
from service.corpus.keywords import Keywords, Lookup
from service.diversity import chosen
from service.encoder.engine import Vectors
from service.fusion import WEIGHTS, Fusion, Scored, Weights, by_rank, by_score
from service.index.index import Index
from service.index.partition import Selection, View
from service.selection import Selections

Part = Literal["dense", "keyword"]
Mode = Literal["dense", "keyword", "hybrid"]
# Of each part so many are fused at least, and so many are there at least to choose different ones from.
_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted of each query: `k` documents of a collection from the place `offset` on.

    `fusion` and `weights` are those of a hybrid search, None for its defaults; `diversity` is 0 to 1.
    """

    k: int
    collection: str
    mode: Mode = "dense"
    offset: int = 0
    tree: Filter | None = None
    min_score: float | None = None
    fusion: Fusion = "score"
    weights: Weights | None = None
    diversity: float = 0.0


@dataclass(frozen=True, slots=True)
class Ranked:
    """(sequence number, score), best first, and the parts that it was made of.

    Scores are cosines in dense mode, BM25 in keyword mode, and those of `service.fusion` in hybrid mode.
    """

    found: Scored
    parts: Mapping[Part, Scored]


class Retrieval:
    """Ranks documents of the index that it is given. Safe from any thread."""

    def __init__(self, keywords: Keywords, selections: Selections) -> None:
        self._keywords = keywords
        self._selections = selections

    def rank(self, index: Index, queries: Sequence[str], vectors: Vectors | None, asked: Asked) -> list[Ranked]:
        """A ranking for each query; `vectors` (n, dimensions) are those of the queries, none in keyword mode."""
        # The view first: what is in it stays in the corpus for a while, so the filter cannot miss it.
        view = index.view(asked.collection)
        allowed = None if asked.tree is None else self._selections.of(view, asked.collection, asked.tree)
        # What other collections hold is passed over at less cost than the words of one are looked up.
        within = None if index.collections == 1 else asked.collection
        last = asked.offset + asked.k
        depth = last if asked.mode != "hybrid" and not asked.diversity else max(last, _DEPTH)
        dense: list[Scored] = []
        if vectors is not None:
            dense = [
                list(zip(seqs.tolist(), scores.tolist(), strict=True))
                for seqs, scores in view.search(vectors, depth, allowed)
            ]
        rankings: list[Ranked] = []
        for number, query in enumerate(queries):
            if asked.mode == "dense":
                ranked = Ranked(dense[number], {"dense": dense[number]})
            else:
                lookup = self._keywords.lookup(query)
                worded = self._by_keyword(view, allowed, lookup, within, depth)
                ranked = Ranked(worded, {"keyword": worded})
                if asked.mode == "hybrid":
                    fused = _fused(dense[number], worded, lookup.most, asked)
                    ranked = Ranked(fused, {"dense": dense[number], "keyword": worded})
            rankings.append(Ranked(_cut(view, ranked.found, asked), ranked.parts))
        return rankings

    def _by_keyword(
        self, view: View, allowed: Selection | None, lookup: Lookup, within: str | None, depth: int
    ) -> Scored:
        found: list[tuple[int, float]] = []
        with closing(self._keywords.ranked(lookup, within)) as portions:
            for portion in portions:
                held = view.holds(np.array([seq for seq, _ in portion], dtype=np.int64), allowed)
                found += [portion[place] for place in np.flatnonzero(held)[: depth - len(found)]]
                if len(found) == depth:
                    break
        return found


def _fused(dense: Scored, worded: Scored, most: float, asked: Asked) -> Scored:
    weights = asked.weights or WEIGHTS[asked.fusion]
    if asked.fusion == "rank":
        return by_rank(dense, worded, weights)
    return by_score(dense, [(seq, score / most) for seq, score in worded], weights)


def _cut(view: View, found: Scored, asked: Asked) -> Scored:
    """What is asked of it."""
    if asked.min_score is not None:
        found = [(seq, score) for seq, score in found if score >= asked.min_score]
    last = asked.offset + asked.k
    if asked.diversity and found:
        relevance = np.array([score for _, score in found], dtype=np.float32)
        if asked.mode == "keyword":
            # A cosine is 1 at most; of BM25 that of the best stands for it.
            relevance /= relevance[0]
        vectors = view.vectors_of(np.array([seq for seq, _ in found], dtype=np.int64))
        found = [found[place] for place in chosen(relevance, vectors, last, asked.diversity)]
    return found[asked.offset : last]
