"""`/admin/judgements`: people's judgements of documents, by which a new checkpoint is judged before it answers."""

import asyncio
from dataclasses import replace
from datetime import UTC
from functools import partial
from typing import Annotated

from fastapi import Depends, Query

from service.api.auth import KeyName, OwnName
from service.api.judgement_inputs import check_judgements, cursor_after, key_before, no_condition
from service.api.openapi import judgements as documented
from service.api.own_judgements import check_own, own_only
from service.api.readiness import RequireReady
from service.api.router import Admission, Router
from service.api.schemas.judgements import (
    AgreementAnswer,
    By,
    Collection,
    JudgedDocument,
    JudgedQuery,
    JudgementsAnswer,
    JudgementsRequest,
    OfSide,
    QuestionCountsAnswer,
    Removed,
    Since,
    Sources,
    Stale,
    Taken,
    Unresolved,
)
from service.corpus.base import Documents
from service.corpus.judgements import SENT, JudgementFilter, Judgements, Outcome, Source
from service.learning.agreement import agreement
from service.learning.question_counts import QuestionCounter
from service.machine.writer import WritingThread
from service.settings import Settings

_PAGE = 1000


def routes(
    admission: Admission,
    require_ready: RequireReady,
    judgements: Judgements,
    documents: Documents,
    thread: WritingThread,
    settings: Settings,
) -> Router:
    """The routes of judgements."""
    router = Router(admission, "admin", "admin")
    handlers = _Judgements(require_ready, judgements, documents, thread, settings)
    router.add("POST /admin/judgements", handlers.add_judgements, documented.ADD, "judge")
    router.add("PUT /admin/judgements", handlers.put_judgements, documented.PUT)
    router.add("GET /admin/judgements", handlers.list_judgements, documented.LIST, "judge")
    router.add("DELETE /admin/judgements", handlers.delete_judgements, documented.DELETE, "judge")
    router.add("GET /admin/judgements/counts", handlers.count_questions, documented.COUNTS, "judge")
    router.add("GET /admin/judgements/agreement", handlers.measure_agreement, documented.AGREEMENT, "judge")
    return router


async def _conditions(
    collection: Collection = None,
    query: JudgedQuery = None,
    document: JudgedDocument = None,
    unresolved: Unresolved = False,
    source: Sources = None,
    stale: Stale = None,
    by: By = None,
) -> JudgementFilter:
    sources = None if source is None else frozenset(source)
    return JudgementFilter(collection, query, document, unresolved, sources, stale=stale, by=by)


class _Judgements:
    def __init__(
        self,
        require_ready: RequireReady,
        judgements: Judgements,
        documents: Documents,
        thread: WritingThread,
        settings: Settings,
    ) -> None:
        self._require_ready = require_ready
        self._judgements = judgements
        self._documents = documents
        self._thread = thread
        self._settings = settings
        self._counter = QuestionCounter(judgements, documents)

    async def add_judgements(self, request: JudgementsRequest, by: KeyName, own_name: OwnName) -> Taken:
        """Add judgements. Each takes the place of a former one of the same query, document and source.

        Judgements of people (`"source": "person"`) are kept for each of them. A key with the scope judge sends those of
        its own name, and no others.
        """
        self._require_ready()
        judgements = await asyncio.to_thread(check_judgements, request, self._documents, self._settings, by)
        check_own(judgements, own_name)
        return _taken(await self._thread.run(partial(self._judgements.add, judgements, request.collection)))

    async def put_judgements(self, request: JudgementsRequest, by: KeyName) -> Taken:
        """Replace all judgements that were sent, or those of a collection. POST adds to them.

        A reload compares both generations on the judgements of the side judge before it activates the new one. What is
        sent is of that side, unless it says otherwise or is connected to a query that trains. Without judgements, no
        reload is judged.
        """
        self._require_ready()
        judgements = await asyncio.to_thread(check_judgements, request, self._documents, self._settings, by, SENT)
        return _taken(await self._thread.run(partial(self._judgements.replace, judgements, request.collection)))

    async def list_judgements(
        self,
        conditions: Annotated[JudgementFilter, Depends(_conditions)],
        own_name: OwnName,
        side: OfSide = None,
        since: Since = None,
        cursor: Annotated[str | None, Query(description="`next` of the page before")] = None,
        limit: Annotated[int, Query(ge=1, le=_PAGE, description="most judgements of the page")] = _PAGE,
    ) -> JudgementsAnswer:
        """List all that was said, a page at a time. `next` is null on the last page.

        A key with the scope judge lists what it has said itself, and nothing else, so that it judges blind.
        """
        self._require_ready()
        after = None if cursor is None else key_before(cursor)
        since = since and since.replace(tzinfo=since.tzinfo or UTC)
        wanted = replace(own_only(conditions, own_name), side=side, since=since)
        page = await asyncio.to_thread(self._judgements.page, wanted, after, limit + 1)
        return {"judgements": page[:limit], "next": cursor_after(page[limit - 1].key) if len(page) > limit else None}

    async def delete_judgements(
        self, conditions: Annotated[JudgementFilter, Depends(_conditions)], own_name: OwnName
    ) -> Removed:
        """Remove the judgements that meet all conditions. At least one condition is needed.

        A key with the scope judge removes those of its own name, and no others.
        """
        self._require_ready()
        if conditions == JudgementFilter():
            raise no_condition()
        removable = own_only(conditions, own_name)
        return {"removed": await self._thread.run(partial(self._judgements.remove, removable))}

    async def count_questions(self, collection: Collection = None) -> QuestionCountsAnswer:
        """Count the judged questions by their use: those that a model may be trained and tested on, and all others.

        A question counts once, whatever collections it was judged in. `trainer run --data URL` counts the same ones.
        """
        self._require_ready()
        counts = await asyncio.to_thread(self._counter.count, collection)
        return {
            "training": counts.training,
            "judging": counts.judging,
            "neither": counts.neither,
            "missing": counts.missing,
            "without_good": counts.without_good,
        }

    async def measure_agreement(self, collection: Collection = None) -> AgreementAnswer:
        """Measure how far people agree who judged the same pairs, by Krippendorff's alpha."""
        self._require_ready()
        people = JudgementFilter(collection, sources=frozenset[Source]({"person"}))
        measured = await asyncio.to_thread(lambda: agreement(self._judgements.all(people)))
        return {"alpha": measured.alpha, "pairs": measured.pairs, "people": measured.people}


def _taken(outcome: Outcome) -> Taken:
    return {
        "judgements": outcome.judgements,
        "queries": outcome.queries,
        "judging": outcome.judging,
        "added": outcome.added,
        "changed": outcome.changed,
        "removed": outcome.removed,
        "unresolved": outcome.unresolved,
    }
