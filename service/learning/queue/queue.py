"""The queue: it gathers questions, searches some of them, and says which are worth a person's minute, and why.

The work is bounded however much was asked: so many thumbs, searches and questions are looked at, and so many are
searched.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import get_args

from service.corpus.base import CorpusStore
from service.corpus.judgements import Judgement, JudgementFilter, Side
from service.corpus.refusals import require_collection
from service.generations.generation import Generation
from service.learning.base import FeedbackStore
from service.learning.needs import Need, Needs
from service.learning.queue.complaints import complaints
from service.learning.queue.disagreement import by_question
from service.learning.queue.passages import Passage, blind, passages
from service.learning.queue.questions import Candidate, Question, Reason, chosen, gathered, in_turns
from service.learning.queue.rankings import COMPARED, Rankings, RankingSource
from service.learning.search_log import SearchLog
from service.learning.unsure import Unsure, hash_of_question, hash_of_text

REASONS: Sequence[Reason] = get_args(Reason)
# The latest thumbs, and the latest searches, that questions are gathered from.
_THUMBS = 10_000
_SEARCHES = 100_000
# The questions that are gathered from each of the two, and the passages from those that people disagree on.
_QUESTIONS = 1000
# The questions that are searched at least, if there are as many.
_SEARCHED = 64
# Documents of complaints, and those that people disagree on, that come beside what is found.
_COMPLAINED = 20
_DISPUTED = 20
# Rankings with a lower overlap disagree. Models agree more than vectors and words do. Of 65 questions to the sample
# corpus, nearly a third were below each limit.
_GENERATIONS_AGREE = 0.7
_MODES_AGREE = 0.25
_SHOWN_BY_SEARCHING: Set[Reason] = frozenset({"generations", "modes"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """The part of the queue that is wanted: up to `limit` questions with one of these reasons.

    Each has the first `depth` passages of every ranking. `by` is the person who judges; None: anybody.
    """

    collection: str | None = None
    by: str | None = None
    reasons: Set[Reason] = frozenset(REASONS)
    limit: int = 10
    depth: int = 5


@dataclass(frozen=True, slots=True)
class Waiting:
    """A question of the queue with its reasons, its passages, and the need behind it, if somebody has written one.

    The agreements are overlaps of rankings, 0 to 1; None: there was no other ranking.
    """

    question: Question
    side: Side | None
    reasons: Sequence[Reason]
    agreement_of_generations: float | None
    agreement_of_modes: float | None
    passages: Sequence[Passage]
    need: Need | None


@dataclass(frozen=True, slots=True)
class LookedAt:
    """The thumbs and searches that were looked at, the questions in them, those that were searched, and by which
    generations."""

    thumbs: int
    searches: int
    questions: int
    searched: int
    generations: Sequence[int]


class JudgementQueue:
    """Questions that are worth a person's minute. Nothing is stored: it follows from what users and judges do."""

    def __init__(
        self, store: FeedbackStore, log: SearchLog, corpus: CorpusStore, unsure: Unsure, rankings: RankingSource
    ) -> None:
        self._store = store
        self._log = log
        self._judgements = corpus.judgements
        self._documents = corpus.documents
        self._unsure = unsure
        self._needs = Needs(corpus.records)
        self._rankings = rankings

    async def waiting(self, wanted: Wanted) -> tuple[list[Waiting], LookedAt]:
        """Return the questions that wait, those with the best reasons first, and what was looked at.

        Raises NotFound for a collection that is not there, Overloaded if too much waits to be embedded, and
        StorageFailed if the disk fails.
        """
        generations = self._rankings.generations()
        candidates, counts = await asyncio.to_thread(self._candidates, wanted, generations[0])
        ranked = await self._ranked(generations, candidates, wanted.depth)
        waiting = await asyncio.to_thread(self._with_reasons, ranked, wanted)
        numbers = [generation.number for generation in generations]
        return ordered(waiting, wanted.reasons)[: wanted.limit], LookedAt(*counts, len(candidates), numbers)

    def _candidates(self, wanted: Wanted, active: Generation) -> tuple[list[Candidate], tuple[int, int, int]]:
        """Return the questions that are to be searched, and how many thumbs, searches and questions there were."""
        if wanted.collection is not None:
            require_collection(self._documents, wanted.collection)
        self._log.flush()
        thumbs = self._store.thumbs(wanted.collection, _THUMBS)
        searches, frequencies = self._store.most_asked(wanted.collection, _SEARCHES, _QUESTIONS)
        disagreements = by_question(self._judgements.disputed(wanted.collection, _QUESTIONS))
        asked = gathered(complaints(thumbs)[:_QUESTIONS], frequencies, disagreements)
        unsure = self._unsure.of(wanted.by)
        candidates = (
            Candidate(question, self._said(question), unsure.get(_hash(question), ()))
            for question in asked
            # Its collection may be gone, and all documents with it.
            if active.index.has(question.collection)
        )
        possible = (one for one in candidates if wanted.reasons & (one.reasons(wanted.by) | _SHOWN_BY_SEARCHING))
        searched = chosen(possible, wanted.by, max(_SEARCHED, 2 * wanted.limit))
        return searched, (len(thumbs), searches, len(asked))

    def _said(self, question: Question) -> list[Judgement]:
        return [
            judgement
            for query in question.spellings
            for judgement in self._judgements.all(JudgementFilter(question.collection, query, stale=False))
        ]

    async def _ranked(
        self, generations: Sequence[Generation], candidates: Sequence[Candidate], depth: int
    ) -> list[tuple[Candidate, Rankings]]:
        by_collection: defaultdict[str, list[Candidate]] = defaultdict(list)
        for candidate in candidates:
            by_collection[candidate.question.collection].append(candidate)
        ranked: list[tuple[Candidate, Rankings]] = []
        for collection, of_collection in by_collection.items():
            queries = [candidate.question.query for candidate in of_collection]
            rankings = await self._rankings.rank(generations, collection, queries, max(depth, COMPARED))
            ranked += zip(of_collection, rankings, strict=True)
        return ranked

    def _with_reasons(self, ranked: Sequence[tuple[Candidate, Rankings]], wanted: Wanted) -> list[Waiting]:
        made = (self._looked_closer(candidate, rankings, wanted) for candidate, rankings in ranked)
        return [one for one in made if wanted.reasons & set(one.reasons) and any(each.open for each in one.passages)]

    def _looked_closer(self, candidate: Candidate, rankings: Rankings, wanted: Wanted) -> Waiting:
        question, complaint = candidate.question, candidate.question.complaint
        complained = () if complaint is None else complaint.documents[:_COMPLAINED]
        disputed = candidate.disputed(wanted.by)[:_DISPUTED]
        ids = blind(question.collection, question.query, rankings.pool(wanted.depth).union(complained, disputed))
        versions = self._documents.current(question.collection, ids)
        documents = {identity: version.document for identity, version in versions.items()}
        unsure = {
            identity for identity, document in documents.items() if hash_of_text(document.text) in candidate.unsure
        }
        of_generations, of_modes = rankings.agreement_of_generations(), rankings.agreement_of_modes()
        seen = passages(ids, documents, candidate.by_people(None), unsure, wanted.by)
        reasons = candidate.reasons(wanted.by) - {"people"}
        # The document may be gone, and the person may be not sure of it.
        if any(passage.disagree and passage.open for passage in seen):
            reasons.add("people")
        if of_generations is not None and of_generations < _GENERATIONS_AGREE:
            reasons.add("generations")
        if of_modes is not None and of_modes < _MODES_AGREE:
            reasons.add("modes")
        sides = [judgement.side for judgement in candidate.judgements if judgement.query == question.query]
        return Waiting(
            question=question,
            side=sides[0] if sides else self._judgements.side_of(question.query),
            reasons=[reason for reason in REASONS if reason in reasons],
            agreement_of_generations=of_generations,
            agreement_of_modes=of_modes,
            passages=seen,
            need=self._needs.of(question.collection, question.query),
        )


def _hash(question: Question) -> str:
    return hash_of_question(question.collection, question.query)


def ordered(waiting: Sequence[Waiting], reasons: Set[Reason]) -> list[Waiting]:
    """Order questions: of these reasons each has a turn, and then the question for which it is strongest."""
    by_reason = (
        sorted((one for one in waiting if reason in one.reasons), key=_STRONGEST_FIRST[reason])
        for reason in REASONS
        if reason in reasons
    )
    return list({(one.question.collection, one.question.query): one for one in in_turns(*by_reason)}.values())


def _by_complaint(waiting: Waiting) -> tuple[float, ...]:
    complaint = waiting.question.complaint
    return () if complaint is None else (-complaint.users, -complaint.at.timestamp())


_STRONGEST_FIRST: Mapping[Reason, Callable[[Waiting], tuple[float, ...]]] = {
    "bad": _by_complaint,
    "unjudged": lambda waiting: (-waiting.question.searches,),
    "generations": lambda waiting: (waiting.agreement_of_generations or 0.0,),
    "modes": lambda waiting: (waiting.agreement_of_modes or 0.0,),
    "people": lambda waiting: (-sum(passage.disagree and passage.open for passage in waiting.passages),),
}
