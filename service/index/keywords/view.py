"""A moment of the index of words: a sealed part on the disk and a fresh one in memory, ranked as one."""

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.corpus.base import Seqs
from service.index.keywords import bm25
from service.index.keywords.analysis import Analysis, Clause
from service.index.keywords.base import KeywordRanking
from service.index.keywords.fresh import FreshView
from service.index.keywords.sealed import SealedPart

# The first portion looks this many times as far as is asked: scores that equal the last one wait for the next portion,
# and looking twice costs twice. Every later one looks so many times as far as the one before.
_FIRST, _FURTHER = 2, 8
# The share of the heaviest clause's weight below which a clause tells nothing beside it.
_TELLING = 0.2


@dataclass(frozen=True, slots=True)
class TwoPartView:
    """The `KeywordView` of both parts, weighed by the frequencies of both."""

    analysis: Analysis
    sealed: SealedPart
    fresh: FreshView

    def documents(self, collection: str) -> int:
        """Count the versions of a collection, dead ones that the index still has included."""
        return self.sealed.documents(collection) + self.fresh.documents(collection)

    def rank(self, query: str, collection: str, depth: int, among: Seqs | None = None) -> KeywordRanking:
        """Rank the versions of a collection that have a word or an identifier of the query."""
        weights = self._weights(query, collection)
        max_score = sum(bm25.max_score(weight) for _, _, weight in weights)
        there = [(clause, weight) for clause, count, weight in weights if count]
        return KeywordRanking(self._portions(there, collection, depth, among), max_score)

    def telling(self, query: str, collection: str) -> list[Clause]:
        """Return the clauses of the query by which a reader sees why a text of the collection was found.

        Those are left out that weigh little beside the heaviest, as articles do in prose, whatever its language.
        """
        there = [(clause, weight) for clause, count, weight in self._weights(query, collection) if count]
        heaviest = max((weight for _, weight in there), default=0.0)
        return [clause for clause, weight in there if weight >= _TELLING * heaviest]

    def _weights(self, query: str, collection: str) -> list[tuple[Clause, int, float]]:
        """Return each clause of the query with how many texts of the collection have it, and its weight there."""
        documents = self.documents(collection)
        weights: list[tuple[Clause, int, float]] = []
        for clause in self.analysis.of_query(query):
            count = self.sealed.count(clause, collection) + self.fresh.count(clause, collection)
            if count or not clause.optional:
                weights.append((clause, count, bm25.weight(max(documents, count), count)))
        return weights

    def _mean_length(self) -> float:
        """Return the mean length by which fresh texts are scored, in stems. Texts of all collections count.

        Tantivy scores the sealed texts by the mean of the sealed part. Fresh texts are scored by the same mean, so that
        equal texts have equal scores. If more texts are fresh than sealed, the sealed mean may be that of a few texts,
        or of none after everything was deleted. Then the mean of both parts counts, with which Tantivy reckons once the
        fresh part is sealed.
        """
        sealed, stems = self.sealed.lengths()
        if sealed and sealed >= self.fresh.end:
            return self.sealed.mean_length
        # Without any stems nothing is scored.
        return (stems + self.fresh.tokens) / max(1, sealed + self.fresh.end) or 1.0

    def _portions(
        self, weights: Sequence[tuple[Clause, float]], collection: str, depth: int, among: Seqs | None
    ) -> Generator[list[tuple[int, float]]]:
        if not weights:
            return
        fresh_seqs, fresh_floats = self.fresh.scored(weights, collection, self._mean_length(), among)
        # NumPy would compare 32 bits with `below` in 32 bits, in which it is `least`.
        fresh_scores = fresh_floats.astype(np.float64)
        below, limit, ended = math.inf, _FIRST * max(depth, 1), False
        while not ended:
            # All versions that score more than `least` are among the hits, and maybe not all that score as much.
            hits, least, ended = self.sealed.best(weights, collection, limit, among)
            waiting = fresh_scores[fresh_scores < below]
            if len(waiting) > limit:
                least, ended = max(least, float(np.partition(waiting, -limit - 1)[-limit - 1])), False
            seqs = np.concatenate((fresh_seqs, np.fromiter(hits.keys(), np.int64, len(hits))))
            scores = np.concatenate((fresh_scores, np.fromiter(hits.values(), np.float64, len(hits))))
            within = (least < scores) & (scores < below)
            if within.any():
                yield _in_order(seqs[within], scores[within])
            below, limit = math.nextafter(least, math.inf), limit * _FURTHER


def _in_order(seqs: Seqs, scores: NDArray[np.float64]) -> list[tuple[int, float]]:
    order = np.lexsort((seqs, -scores))
    return list(zip(seqs[order].tolist(), scores[order].tolist(), strict=True))
