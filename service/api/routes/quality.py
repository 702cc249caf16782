"""`GET /admin/quality`: how well a generation answers the judged queries, and what was measured over time."""

import asyncio
from collections.abc import Sequence

from service.api.inputs import refuse_nul
from service.api.openapi import quality as documented
from service.api.readiness import RequireReady
from service.api.router import Admission, Router
from service.api.schemas.quality import (
    CollectionQuality,
    JudgedOutcome,
    Limit,
    Offset,
    OfGeneration,
    QualityAnswer,
    QualityCollection,
    QualityHistoryAnswer,
    QualityMode,
    QualitySide,
    Wait,
)
from service.corpus.base import Documents
from service.corpus.refusals import require_collection
from service.generations.loaded import LoadedGenerations
from service.reload.outcomes import Outcome
from service.reload.quality import Quality, Wanted
from service.reload.quality_history import QualityHistory
from service.search.retrieval import Mode


def routes(
    admission: Admission,
    require_ready: RequireReady,
    quality: Quality,
    history: QualityHistory,
    generations: LoadedGenerations,
    documents: Documents,
    default_mode: Mode,
) -> Router:
    """The routes of quality."""
    router = Router(admission, "admin", "admin")
    handlers = _Quality(require_ready, quality, generations, documents, default_mode)
    router.add("GET /admin/quality", handlers.measure_quality, documented.MEASURE)
    router.add("GET /admin/quality/history", _History(require_ready, history).list_history, documented.HISTORY)
    return router


class _Quality:
    def __init__(
        self,
        require_ready: RequireReady,
        quality: Quality,
        generations: LoadedGenerations,
        documents: Documents,
        default_mode: Mode,
    ) -> None:
        self._require_ready = require_ready
        self._quality = quality
        self._generations = generations
        self._documents = documents
        self._default_mode = default_mode

    async def measure_quality(
        self,
        generation: OfGeneration = None,
        collection: QualityCollection = None,
        mode: QualityMode = None,
        side: QualitySide = "judge",
        limit: Limit = 50,
        offset: Offset = 0,
        wait: Wait = 10,
    ) -> QualityAnswer:
        """Measure how well a generation answers the judged queries, and list them, the worst first.

        It searches at the lowest priority, as users do and without a reranker, and keeps what it has measured until
        judgements, documents or the generation change. After `wait` seconds it answers what there is.
        """
        self._require_ready()
        measured = self._generations.acquire() if generation is None else self._generations.numbered(generation)
        if collection is not None:
            refuse_nul(collection, "collection")
            await asyncio.to_thread(require_collection, self._documents, collection)
        wanted = Wanted(measured, mode or self._default_mode, side)
        progress = await self._quality.of(wanted, wait)
        measurement = progress.measurement
        done, total = progress.renewing or (0, 0)
        summaries = {} if measurement is None else measurement.by_collection
        whole = None if measurement is None else measurement.total
        outcomes = [] if measurement is None else _of_collection(measurement.outcomes, collection)
        return {
            "generation": measured.number,
            "model": measured.model,
            "mode": wanted.mode,
            "side": side,
            "state": "measured" if progress.renewing is None else "measuring",
            "done": done,
            "total": total,
            "at": None if measurement is None else measurement.at,
            "figures": whole if collection is None else summaries.get(collection),
            "obstacle": None if measurement is None else measurement.obstacle,
            "by_collection": [CollectionQuality(collection=name, figures=one) for name, one in summaries.items()],
            "queries": [_answered(outcome) for outcome in outcomes[offset : offset + limit]],
        }


class _History:
    def __init__(self, require_ready: RequireReady, history: QualityHistory) -> None:
        self._require_ready = require_ready
        self._history = history

    async def list_history(self) -> QualityHistoryAnswer:
        """List what was measured of all generations, by reloads and by `GET /admin/quality` for the side judge.

        Of what was measured on a day, the last figures of each generation and mode are kept.
        """
        self._require_ready()
        return {"points": await asyncio.to_thread(self._history.points)}


def _of_collection(outcomes: Sequence[Outcome], collection: str | None) -> Sequence[Outcome]:
    return [outcome for outcome in outcomes if collection in (None, outcome.collection)]


def _answered(outcome: Outcome) -> JudgedOutcome:
    return {
        "query": outcome.query,
        "collection": outcome.collection,
        "ndcg": outcome.ndcg,
        "recall": outcome.recall,
        "good": outcome.good,
        "good_shown": outcome.good_shown,
        "first_good": outcome.first_good,
        "judged": outcome.judged,
        "shown": outcome.shown,
    }
