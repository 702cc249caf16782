"""The effort of a graph: the least at which a search finds what comparing all vectors finds."""

import logging
from itertools import pairwise

import numpy as np

from service.index.base import GivenUp, IsGivenUp, Questions
from service.index.effort import least_effort
from service.index.pgvector.binary import Points
from service.index.pgvector.graph import Tuned
from service.index.pgvector.point_search import MOST_EFFORT
from service.index.pgvector.sealed import LOOKED_AT, SAME, Sealed
from service.index.rows import first_rows
from service.machine.arrays import Vectors

log = logging.getLogger(__name__)

_FIRST_EFFORT = 40
# The most effort, or more if comparing all vectors takes longer still.
_MOST_EFFORT = 2048
# Documents that questions are made of. Fewer questions say too little.
_ASKED = 200
_LEAST_QUESTIONS = 50
# Sums of 4 vectors are mostly as hard as questions are (`service.index.faiss.tuning`).
_SUMMED = 4
# Documents that a question is to find.
_K = 10
# Points that are compared at a time.
_COMPARED = 50_000


def tuned(sealed: Sealed, min_recall: float, given_up: IsGivenUp, questions: Questions | None) -> Tuned:
    """Find the least effort, rising by a quarter, at which recall@10 against exact search is `min_recall`.

    `questions` of the documents are asked, if there are any, and sums of vectors otherwise. A point that scores like
    the last of the best counts as found. Raises GivenUp soon after `given_up` answers true.
    """
    points = np.unique(sealed.entries.points)
    asked = _asked(sealed, given_up, questions)
    exact = _exact(sealed, points, asked, given_up)

    def recall_at(effort: int) -> float:
        hits = []
        for question, worst in zip(asked, exact, strict=True):
            if given_up():
                raise GivenUp
            near, vectors = sealed.points.near(question, max(4 * _K, effort if effort > MOST_EFFORT else 0), effort)
            scores = np.sort((vectors @ question)[np.isin(near, points)])[-_K:]
            hits.append(np.count_nonzero(scores >= worst - SAME) / min(_K, len(points)))
        return float(np.mean(hits))

    highest = max(_MOST_EFFORT, len(points) // LOOKED_AT)
    effort, recall = least_effort(recall_at, min_recall, first=_FIRST_EFFORT, highest=highest)
    if recall < min_recall:
        log.warning("pgvector's graph of %d vectors has a recall of %.3f at the highest effort", len(points), recall)
    return Tuned(effort, recall)


def _asked(sealed: Sealed, given_up: IsGivenUp, questions: Questions | None) -> Vectors:
    """Return vectors (n, dimensions) that lie among the documents and near none of them."""
    entries, pick = sealed.entries, np.random.default_rng(0)
    if questions is not None:
        documents = entries.seqs[first_rows(entries.seqs)]
        asked = questions(np.sort(pick.permutation(documents)[:_ASKED]), given_up)
        if len(asked) >= _LEAST_QUESTIONS:
            return asked
    chosen = entries.points[pick.integers(len(entries), size=_SUMMED * _ASKED)]
    points, rows = np.unique(chosen, return_inverse=True)
    vectors = sealed.points.vectors(points)[rows]
    sums: Vectors = vectors.reshape(_SUMMED, _ASKED, -1).sum(axis=0)
    return sums


def _exact(sealed: Sealed, points: Points, asked: Vectors, given_up: IsGivenUp) -> Vectors:
    """Return the score (n,) of the last of the best points for each question, by comparing all."""
    best = np.full((len(asked), _K), -np.inf, np.float32)
    edges = [*points[::_COMPARED].tolist(), int(points[-1]) + 1]
    for first, behind in pairwise(edges):
        if given_up():
            raise GivenUp
        there, vectors = sealed.points.between(first - 1, behind - 1)
        scores = asked @ vectors[np.isin(there, points)].T
        best = np.sort(np.concatenate((best, scores), axis=1), axis=1)[:, -_K:]
    worst: Vectors = best[:, -min(_K, len(points))]
    return worst
