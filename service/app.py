"""The HTTP application: routes and middleware are handed the parts of the service that they use."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from service import __version__
from service.api import docs_page, failures
from service.api.event_streams import EventStreams
from service.api.middleware.audit import Audited
from service.api.middleware.browser import LocalOriginOnly, SecurityHeaders
from service.api.middleware.content_encoding import ContentEncoding
from service.api.middleware.cross_origin import FeedbackOrigins
from service.api.middleware.disconnect import FOR_ONE_CALLER, CancelOnDisconnect
from service.api.middleware.paths import Paths
from service.api.middleware.request_metrics import RequestMetrics
from service.api.middleware.seen import Seen
from service.api.middleware.shortcut import Shortcut
from service.api.openapi.document import DESCRIPTION, TAGS, DocumentedApp
from service.api.openapi.events import webhooks
from service.api.output_dtypes import OutputDtypes
from service.api.router import Admission
from service.api.routes import (
    backup,
    checkpoints,
    collections,
    documents,
    embed,
    events,
    export,
    feedback,
    generations,
    guidelines,
    health,
    history,
    info,
    insights,
    inspection,
    jobs,
    judgements,
    keys,
    maps,
    metrics,
    needs,
    openai,
    quality,
    question_sets,
    queue,
    reload,
    rerank,
    rollback,
    sample,
    search,
    searches,
    tokenizer,
    tokens,
    ubi,
    unsure,
)
from service.api.routes import settings as settings_routes
from service.api.search_records import SearchRecords
from service.api.state_metrics import State
from service.console.router import console
from service.errors import InstarError
from service.generations.maps.map_folder import MapFolder
from service.generations.maps.maps import Maps, Projecting
from service.generations.rollback import RollbackTargets
from service.index.choice import nearest_rows
from service.learning.needs import Needs
from service.learning.question_sets import QuestionSets
from service.lifecycle import Lifecycle
from service.machine.children import Children, InThisProcess
from service.observability.log_tail import LogTail
from service.reload.map_questions import MapQuestions
from service.reload.quality import Quality
from service.reload.quality_history import QualityHistory
from service.search.cut_documents import CutDocuments
from service.search.retrieval import Retrieval
from service.wiring.build import Parts

log = logging.getLogger(__name__)

# Asked thousands of times a second.
_HOT = ("/v1/embeddings", "/embed", "/search")


def build(
    parts: Parts,
    lifecycle: Lifecycle,
    on_ready: Callable[[], None],
    on_failure: Callable[[str], None],
    log_tail: LogTail,
    projections: Children | None = None,
) -> FastAPI:
    """The application of `parts`. It starts them in the background, while `/health` answers already.

    `on_ready` is called when requests are answered, `on_failure` with the reason if the start fails. `log_tail` has the
    last lines of the log. Maps are computed in `projections`; None: in this process.
    """
    measured = _Measured.of(parts, projections or InThisProcess())
    app = DocumentedApp(
        default_mode=parts.settings.mode,
        title="Instar",
        version=__version__,
        lifespan=lambda _: _running(lifecycle, measured, on_ready, on_failure),
        root_path=parts.settings.proxy.path,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        servers=[{"url": "/", "description": "the service that answers this document"}],
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        telemetry={
            "tracer_provider": parts.tracing.provider,
            "tracing": parts.tracing.provider is not None,
            "operation_spans": False,
            # Prometheus has the numbers, and the logs would have texts of callers in them.
            "metrics": False,
            "logs": False,
            "auto_configure": False,
        },
    )
    parts.metrics.registry.register(_state(parts, lifecycle))
    routers = _routers(parts, lifecycle, measured, log_tail)
    _add_middleware(app, parts, lifecycle, routers)
    for router in (*routers, docs_page.routes(parts.settings.proxy.path)):
        app.include_router(router)
    faces: dict[str, failures.Face] = {}
    if parts.settings.console:
        shown = console(app, parts.keyring, parts.settings.secrets_folder.console_key, parts.settings.proxy.path)
        app.include_router(shown.router)
        faces["/console"] = shown.failed
    failures.install(app, faces)
    app.webhooks.include_router(webhooks())
    return app


def _state(parts: Parts, lifecycle: Lifecycle) -> State:
    """Return the numbers that are read when somebody asks for metrics."""
    return State(
        lifecycle.require_ready,
        parts.settings.data_dir,
        parts.models.scheduler,
        parts.reloads,
        parts.serving.generations,
        parts.models.rerankers,
        parts.learning.log,
    )


def _routers(parts: Parts, lifecycle: Lifecycle, measured: "_Measured", log_tail: LogTail) -> list[APIRouter]:
    """All routes, in the order of the OpenAPI document."""
    settings, models, serving, corpus = parts.settings, parts.models, parts.serving, parts.corpus
    ready, root_path, loaded = lifecycle.require_ready, settings.proxy.path, serving.generations
    admission = Admission(parts.keyring, models.limits, settings.limits.body)
    streams = EventStreams(settings.limits.streams, lifecycle.stopping)
    output = OutputDtypes(serving.calibration)
    targets = RollbackTargets(loaded, corpus.records, models.registry, serving.builder)
    cut_documents = CutDocuments(corpus.documents, loaded, models.encoding.windowings)
    about = info.About(loaded, corpus, parts.reloads, models.scheduler, models.rerankers, parts.learning.log, settings)
    return [
        embed.routes(admission, ready, loaded, models.encoding, output, models.limits, settings),
        rerank.routes(admission, ready, models.rerankers, models.scoring, settings),
        rerank.routes_of_documents(admission, ready, models.rerankers, models.scoring, settings),
        tokens.routes(admission, ready, loaded, models.encoding, settings),
        tokenizer.routes(admission, ready, loaded, models.encoding),
        openai.routes(admission, ready, loaded, models.encoding, output, settings),
        search.routes(admission, ready, parts.search, loaded, corpus.documents, _search_records(parts), settings),
        feedback.routes(admission, ready, parts.learning.feedback, settings),
        ubi.routes(admission, ready, parts.learning.ubi, settings),
        documents.routes(admission, ready, corpus.documents, parts.writing, loaded, settings),
        sample.routes(admission, ready, corpus.documents, parts.writing, settings.checkpoints_dir),
        inspection.routes(admission, ready, corpus.documents, loaded),
        collections.routes(admission, ready, corpus, cut_documents, parts.writing, serving.housekeeping, parts.thread),
        searches.routes(admission, ready, parts.learning.feedback, parts.learning.forgetting, parts.reloads),
        insights.routes(admission, ready, parts.learning.feedback, corpus, settings.searches.keep),
        judgements.routes(admission, ready, corpus.judgements, corpus.documents, parts.thread, settings),
        unsure.routes(admission, ready, parts.learning.unsure, corpus.documents, parts.thread),
        queue.routes(admission, ready, parts.learning.queue(loaded, models.encoding)),
        quality.routes(
            admission, ready, measured.quality, measured.history, loaded, corpus.documents, settings.gate.mode
        ),
        maps.routes(admission, ready, measured.maps, loaded, corpus.documents, root_path),
        question_sets.routes(admission, ready, QuestionSets(corpus.records), parts.thread, settings),
        guidelines.routes(admission, ready, corpus.records, parts.thread),
        needs.routes(admission, ready, Needs(corpus.records), parts.thread),
        export.routes(admission, ready, corpus.judgements, corpus.documents),
        health.routes(lifecycle, ready, models.scheduler, root_path, console=settings.console),
        info.routes(admission, about),
        metrics.routes(parts.metrics.registry),
        events.routes(admission, ready, parts.changes, loaded, streams),
        reload.routes(admission, ready, parts.reloads, parts.orders, root_path),
        jobs.routes(admission, parts.reloads, parts.orders, streams),
        keys.routes(admission, parts.keyring),
        settings_routes.routes(admission, settings, os.environ),
        history.routes(admission, lifecycle.history, log_tail),
        backup.routes(admission, ready, corpus, parts.learning.store, settings.data_folder, parts.headroom),
        generations.routes(admission, corpus.records, loaded, parts.reloads, models.rerankers),
        rollback.routes(admission, ready, targets, serving.activation, parts.reloads, models.rerankers, root_path),
        checkpoints.routes(admission, ready, models.registry, corpus.records, parts.reloads, parts.thread),
    ]


@dataclass(frozen=True)
class _Measured:
    """The quality of generations on the judged queries, as it is and as it was, and their maps."""

    quality: Quality
    history: QualityHistory
    maps: Maps

    @classmethod
    def of(cls, parts: Parts, projections: Children) -> "_Measured":
        corpus, encoding = parts.corpus, parts.models.encoding
        history = QualityHistory(corpus.records, parts.reloads, parts.thread)
        retrieval = Retrieval(parts.keywords, corpus.documents)
        drawn = Maps(
            MapFolder(parts.settings.data_folder.maps),
            parts.serving.generations,
            corpus.documents,
            encoding,
            Projecting(projections, nearest_rows, parts.headroom),
            MapQuestions(corpus.judgements, corpus.documents, parts.learning.store),
        )
        return cls(Quality(corpus, retrieval, encoding, history), history, drawn)


def _search_records(parts: Parts) -> SearchRecords:
    learning, limits = parts.learning, parts.models.limits
    return SearchRecords(
        learning.log,
        learning.pseudonyms,
        lambda: limits.caller,
        parts.observer,
        log_texts=parts.settings.log.texts,
    )


def _add_middleware(app: FastAPI, parts: Parts, lifecycle: Lifecycle, routers: list[APIRouter]) -> None:
    """Put every request through the middleware. The last one added sees it first."""
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    if parts.tracing.provider is None:
        # FastAPI makes the spans of its routes itself.
        hot = [route for route in routes if route.path in _HOT]
        app.add_middleware(Shortcut, routes=hot, max_body=parts.settings.limits.body)
    app.add_middleware(ContentEncoding)
    app.add_middleware(LocalOriginOnly, keyring=parts.keyring)
    app.add_middleware(FeedbackOrigins, origins=parts.settings.feedback.origins)
    app.add_middleware(Audited)
    app.add_middleware(RequestMetrics, observer=parts.observer, history=lifecycle.history)
    app.add_middleware(SecurityHeaders)
    if parts.replication is not None:
        app.add_middleware(Seen, follower=parts.replication.following, replicas=parts.settings.replicas)
    app.add_middleware(CancelOnDisconnect, paths=FOR_ONE_CALLER)
    app.add_middleware(Paths, paths=[route.path for route in routes])


@asynccontextmanager
async def _running(
    lifecycle: Lifecycle, measured: _Measured, on_ready: Callable[[], None], on_failure: Callable[[str], None]
) -> AsyncIterator[None]:
    """Within the block, the service runs in the background, from its start to its stop."""

    async def run() -> None:
        try:
            await lifecycle.start()
        except InstarError as error:
            on_failure(error.message)
            return
        on_ready()
        async with asyncio.TaskGroup() as group:
            group.create_task(lifecycle.maintain())
            group.create_task(measured.maps.run())

    def report(task: "asyncio.Task[None]") -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        log.error("the background task of the service has failed: restart the service", exc_info=error)
        # The service goes on answering; /health asks for a restart.
        lifecycle.failure = f"{type(error).__name__}: {error}"
        if not lifecycle.ready:
            on_failure(lifecycle.failure)

    task = asyncio.create_task(run(), name="instar-start")
    task.add_done_callback(report)
    yield
    lifecycle.stopping.set()
    task.cancel()
    await asyncio.wait([task])
    await measured.quality.stop()
    await measured.maps.stop()
    await lifecycle.stop()
