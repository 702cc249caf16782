"""The judged queries of a side. Reloads are judged by those of the side judge, which nothing is trained on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from service.corpus.base import Documents, Seqs
from service.corpus.judgements import Judgement, JudgementFilter, Judgements, Side, Source
from service.generations.generation import Generation
from service.learning.verdicts import verdicts
from service.reload.moment import Moment

UNJUDGED = (
    "it was not judged, because there are no judgements: PUT /admin/judgements says which documents answer which"
    " queries, and the next reload is judged by them"
)

# No question that a model has made up says whether another model is worse.
_SOURCES: frozenset[Source] = frozenset({"person", "sent", "feedback", "click"})


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A judged query, the sequence numbers of its good and bad documents, and a moment of each generation to search.

    All queries of a collection have one moment in common.
    """

    text: str
    collection: str
    good: Seqs
    bad: Seqs
    moments: Sequence[Moment]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why nothing can be judged although there are judgements, and what to do."""

    reason: str
    remedy: str


class JudgedQueries:
    """Reads the judged queries of a side, as they are at the moment."""

    def __init__(self, judgements: Judgements, documents: Documents, side: Side = "judge") -> None:
        self._judgements = judgements
        self._documents = documents
        self._counting = JudgementFilter(sources=_SOURCES, side=side, stale=False)
        self._stale = JudgementFilter(sources=_SOURCES, side=side, stale=True)

    def unresolved(self) -> int:
        """How many judgements do not count, because their document is not in the corpus."""
        return self._judgements.counts(self._counting)[1]

    def missing(self) -> Obstacle | None:
        """The obstacle if there are judgements, and none is of a document in the corpus as it is now; else None."""
        count, unresolved = self._judgements.counts(self._counting)
        stale, _ = self._judgements.counts(self._stale)
        if unresolved < count or not count + stale:
            return None
        if stale:
            return Obstacle(
                f"it cannot be judged, because none of the judgements ({count + stale}) counts: {stale} are of texts"
                f" that have changed since, and {unresolved} of documents that are not in the corpus",
                "send those again that are still right (GET /admin/judgements?stale=true lists them), or activate it"
                " with force",
            )
        return Obstacle(
            f"it cannot be judged, because none of the judgements ({count}) is of a document in the corpus",
            "send judgements of documents that are there (PUT /admin/judgements), remove these (DELETE"
            " /admin/judgements?unresolved=true), or activate it with force",
        )

    def obstacle(self) -> Obstacle | None:
        """Why there is no judged query with a good document; None: there are no judgements at all."""
        obstacle = self.missing()
        count, _ = self._judgements.counts(self._counting)
        if obstacle is not None or not count:
            return obstacle
        return Obstacle(
            f"it cannot be judged, because none of the judgements ({count}) says of a document in the corpus that it"
            " is good",
            "send some that do (POST /admin/judgements), or activate it with force",
        )

    def warning(self) -> str | None:
        """The warning that judgements do not count; None: all do."""
        count, unresolved = self._judgements.counts(self._counting)
        stale, _ = self._judgements.counts(self._stale)
        reasons = {
            f"{unresolved} of {count + stale} judgements did not count, because their documents are not in the corpus:"
            " GET /admin/judgements?unresolved=true lists them": unresolved,
            f"{stale} of {count + stale} judgements did not count, because their documents have other texts now: GET"
            " /admin/judgements?stale=true lists them, and sending one again confirms it": stale,
        }
        return "; ".join(reason for reason, number in reasons.items() if number) or None

    def of(self, *generations: Generation) -> list[JudgedQuery]:
        """The judged queries that have a good document which all the generations have."""
        by_query: dict[tuple[str, str], list[Judgement]] = {}
        for judgement in verdicts(self._judgements.all(self._counting)):
            by_query.setdefault((judgement.collection, judgement.query), []).append(judgement)
        queries = []
        for collection in dict.fromkeys(collection for collection, _ in by_query):
            by_text = {text: judgements for (name, text), judgements in by_query.items() if name == collection}
            ids = list({judgement.document for judgements in by_text.values() for judgement in judgements})
            seq_of = self._documents.seqs_of(collection, ids)
            seqs = np.fromiter(seq_of.values(), dtype=np.int64, count=len(seq_of))
            moments = [Moment.of(generation.index, collection) for generation in generations]
            in_all = set(seqs[np.logical_and.reduce([moment.seen.holds(seqs, None) for moment in moments])].tolist())
            for text, judgements in by_text.items():
                good, bad = (
                    np.array([seq for seq in _seqs(judgements, seq_of, good=is_good) if seq in in_all], dtype=np.int64)
                    for is_good in (True, False)
                )
                if len(good):
                    queries.append(JudgedQuery(text, collection, good, bad, moments))
        return queries


def portions(queries: Sequence[JudgedQuery], most: int) -> Iterator[Sequence[JudgedQuery]]:
    """Divide queries, which have those of a collection beside each other, into portions of one collection each."""
    for _, group in groupby(queries, lambda query: query.collection):
        of_collection = list(group)
        for start in range(0, len(of_collection), most):
            yield of_collection[start : start + most]


def _seqs(judgements: Sequence[Judgement], seq_of: Mapping[str, int], *, good: bool) -> list[int]:
    """The sequence numbers of the documents that are judged good, or bad, and are in the corpus."""
    documents = [judgement.document for judgement in judgements if judgement.good is good]
    return [seq_of[document] for document in documents if document in seq_of]
