"""`GET /admin/insights`: what was asked, what was not found, and what users thought of the answers."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from service.api.openapi import insights as documented
from service.api.readiness import RequireReady
from service.api.router import Admission, Router
from service.api.schemas.insights import (
    CountsOf,
    Days,
    InsightsAnswer,
    InsightsCollection,
    MostQueries,
    QueryInsight,
)
from service.corpus.base import CorpusStore
from service.corpus.refusals import require_collection
from service.learning.feedback import Feedback
from service.learning.insights import Counts, Insights, Period, QueryCounts
from service.machine.priority import at_lowest_priority
from service.machine.threads import run_to_completion
from service.settings.groups import Keep


def routes(
    admission: Admission, require_ready: RequireReady, feedback: Feedback, corpus: CorpusStore, keep: Keep
) -> Router:
    """The route of insights."""
    router = Router(admission, "admin", "admin")
    handlers = _Insights(require_ready, feedback, corpus, keep)
    router.add("GET /admin/insights", handlers.read_insights, documented.READ)
    return router


class _Insights:
    def __init__(self, require_ready: RequireReady, feedback: Feedback, corpus: CorpusStore, keep: Keep) -> None:
        self._require_ready = require_ready
        self._feedback = feedback
        self._corpus = corpus
        self._keep = keep
        # One at a time: the threads of the others are needed for feedback.
        self._counting = asyncio.Lock()

    async def read_insights(
        self, collection: InsightsCollection = None, days: Days = 7, limit: MostQueries = 20
    ) -> InsightsAnswer:
        """Count what was asked on the last days, what was not found, and what users called good and bad.

        Searches that the log has dropped are counted, too. Those that it never had are not: searches with
        `"log": false`, or while INSTAR_SEARCHES__KEEP was off. The name of a collection that is neither there nor was
        searched on these days is a 404.
        """
        self._require_ready()
        period = Period(datetime.now(UTC).date() - timedelta(days=days - 1), limit, collection)
        async with self._counting:
            counted = partial(self._feedback.insights, period)
            insights = await run_to_completion(partial(at_lowest_priority, counted))
        if collection is not None and not insights.by_collection:
            await asyncio.to_thread(require_collection, self._corpus.documents, collection)
        records = await asyncio.to_thread(self._corpus.records.generations)
        return _as_answer(insights, self._keep, {record.number: record.model for record in records})


def _as_answer(insights: Insights, keep: Keep, models: Mapping[int, str]) -> InsightsAnswer:
    return {
        "since": insights.since,
        "keep": keep,
        "dropped": insights.dropped,
        "total": _counts(insights.total),
        "most_asked": [_query(one) for one in insights.most_asked],
        "nothing_found": [_query(one) for one in insights.nothing_found],
        "worst": [_query(one) for one in insights.worst],
        "by_day": [{"day": day, **_counts(counts)} for day, counts in insights.by_day],
        "by_generation": [
            {"generation": number, "model": models.get(number or 0), **_counts(counts)}
            for number, counts in insights.by_generation
        ],
        "by_collection": [{"collection": name, **_counts(counts)} for name, counts in insights.by_collection],
    }


def _counts(counts: Counts) -> CountsOf:
    return {"searches": counts.searches, "empty": counts.empty, "good": counts.good, "bad": counts.bad}


def _query(query: QueryCounts) -> QueryInsight:
    return {"collection": query.collection, "query": query.query, **_counts(query.counts)}
