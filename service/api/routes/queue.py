"""`GET /admin/judgements/queue`: what is worth a person's minute."""

from service.api.auth import OwnName
from service.api.inputs import refuse_nul
from service.api.openapi import queue as documented
from service.api.own_judgements import own_view
from service.api.readiness import RequireReady
from service.api.router import Admission, Router
from service.api.schemas.queue import (
    Depth,
    Judge,
    LookedAtAnswer,
    OfCollection,
    QueueAnswer,
    QueuedPassage,
    QueuedQuestion,
    QueueLimit,
    Reasons,
)
from service.learning.queue.passages import Passage
from service.learning.queue.queue import REASONS, JudgementQueue, LookedAt, Waiting, Wanted


def routes(admission: Admission, require_ready: RequireReady, queue: JudgementQueue) -> Router:
    """The route of the queue."""
    router = Router(admission, "admin", "admin")
    router.add("GET /admin/judgements/queue", _Queue(require_ready, queue).list_queue, documented.QUEUE, "judge")
    return router


class _Queue:
    def __init__(self, require_ready: RequireReady, queue: JudgementQueue) -> None:
        self._require_ready = require_ready
        self._queue = queue

    async def list_queue(
        self,
        own_name: OwnName,
        collection: OfCollection = None,
        by: Judge = None,
        reason: Reasons = None,
        limit: QueueLimit = 10,
        passages: Depth = 5,
    ) -> QueueAnswer:
        """List questions that are worth a person's minute, with the reasons and the passages to judge.

        The passages are the first ones by vector and by keyword in every generation that is there, and documents that
        users complained of or people disagree on. `POST /admin/judgements` with the source person takes what the person
        says. A question leaves the queue when none of its passages is open any more. For a key with the scope judge,
        `by` is its name.
        """
        self._require_ready()
        for name, value in (("collection", collection), ("by", by)):
            refuse_nul(value or "", name)
        wanted = Wanted(collection, own_view(by, own_name), frozenset(reason or REASONS), limit, passages)
        waiting, looked_at = await self._queue.waiting(wanted)
        return {"questions": [_question(one) for one in waiting], "looked_at": _looked_at(looked_at)}


def _question(waiting: Waiting) -> QueuedQuestion:
    question, complaint = waiting.question, waiting.question.complaint
    return {
        "query": question.query,
        "collection": question.collection,
        "side": waiting.side,
        "reasons": list(waiting.reasons),
        "complaints": 0 if complaint is None else complaint.users,
        "complained_at": None if complaint is None else complaint.at,
        "searches": question.searches,
        "agreement_of_generations": waiting.agreement_of_generations,
        "agreement_of_modes": waiting.agreement_of_modes,
        "need": None if waiting.need is None else waiting.need.text,
        "open": sum(passage.open for passage in waiting.passages),
        "passages": [_passage(passage) for passage in waiting.passages],
    }


def _passage(passage: Passage) -> QueuedPassage:
    document = passage.document
    return {
        "id": document.id,
        "text": document.text,
        "metadata": document.metadata,
        "open": passage.open,
        "good": passage.good,
        "people": passage.people,
        "unsure": passage.unsure,
        "disagree": passage.disagree,
    }


def _looked_at(looked_at: LookedAt) -> LookedAtAnswer:
    return {
        "thumbs": looked_at.thumbs,
        "searches": looked_at.searches,
        "questions": looked_at.questions,
        "searched": looked_at.searched,
        "generations": list(looked_at.generations),
    }
