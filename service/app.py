"""The HTTP application: routes and middleware are handed the parts of the service that they use."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from service import __version__
from service.api import failures
from service.api.event_streams import EventStreams
from service.api.middleware.audit import Audited
from service.api.middleware.browser import LocalOriginOnly, SecurityHeaders
from service.api.middleware.content_encoding import ContentEncoding
from service.api.middleware.disconnect import CancelOnDisconnect
from service.api.middleware.paths import Paths
from service.api.middleware.request_metrics import RequestMetrics
from service.api.middleware.shortcut import Shortcut
from service.api.openapi.document import DESCRIPTION, TAGS, DocumentedApp
from service.api.openapi.events import webhooks
from service.api.router import Admission
from service.api.routes import (
    backup,
    checkpoints,
    collections,
    documents,
    embed,
    events,
    generations,
    health,
    info,
    jobs,
    judgements,
    metrics,
    openai,
    reload,
    rollback,
    search,
    tokens,
)
from service.api.state_metrics import State
from service.core import Core
from service.errors import InstarError
from service.generations.rollback import RollbackTargets

log = logging.getLogger(__name__)

# Asked thousands of times in a second.
_HOT = ("/v1/embeddings", "/embed", "/search")
# Work for one caller alone. A reload or an upload serves everybody, and goes on without its caller.
_FOR_ONE_CALLER = ("/embed", "/similarity", "/v1/", "/search", "/documents")


def build(core: Core, on_ready: Callable[[], None], on_failure: Callable[[str], None]) -> FastAPI:
    """The application for `core`, which it starts in the background: `/health` answers from the beginning.

    `on_ready` is called when requests are answered, `on_failure` with the reason if that cannot be.
    """
    app = DocumentedApp(
        title="Instar",
        version=__version__,
        lifespan=lambda _: _running(core, on_ready, on_failure),
        root_path=core.settings.proxy.path,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        servers=[{"url": "/", "description": "the service that answers this document"}],
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        telemetry={
            "tracer_provider": core.tracing.provider,
            "tracing": core.tracing.provider is not None,
            "operation_spans": False,
            # Prometheus has the numbers, and FastAPI's logs would have texts of callers in them.
            "metrics": False,
            "logs": False,
            "auto_configure": False,
        },
    )
    core.telemetry.registry.register(
        State(core, core.settings.data_dir, core.scheduler, core.reloads, core.generations)
    )
    routers = _routers(core)
    _add_middleware(app, core, [route for router in routers for route in router.routes if isinstance(route, APIRoute)])
    failures.install(app)
    for router in routers:
        app.include_router(router)
    app.webhooks.include_router(webhooks())
    return app


def _routers(core: Core) -> list[APIRouter]:
    """All routes, in the order of the OpenAPI document."""
    settings, root_path, ready = core.settings, core.settings.proxy.path, core.require_ready
    admission = Admission(core.keyring, core.allowances, settings.limits.body)
    streams = EventStreams(settings.limits.streams, core.stopping)
    targets = RollbackTargets(core.generations, core.records, core.catalogue, core.builder)
    return [
        embed.routes(admission, ready, core.generations, core.encoding, core.allowances, settings),
        tokens.routes(admission, ready, core.generations, core.encoding, settings),
        openai.routes(admission, ready, core.generations, core.encoding, settings),
        search.routes(admission, ready, core.search, core.generations, core.documents, core.telemetry, settings),
        documents.routes(admission, ready, core.documents, core.writing, core.generations, settings),
        collections.routes(
            admission, ready, core.documents, core.writing, core.judgements, core.housekeeping, core.thread
        ),
        judgements.routes(admission, ready, core.judgements, core.documents, core.thread, settings),
        health.routes(core, ready, core.scheduler, root_path),
        info.routes(admission, core.generations, core.documents, core.reloads, core.scheduler, settings),
        metrics.routes(core.telemetry.registry),
        events.routes(admission, ready, core.changes, core.generations, streams),
        reload.routes(admission, ready, core.reloads, root_path),
        jobs.routes(admission, core.reloads, streams),
        backup.routes(admission, ready, core.corpus, settings),
        generations.routes(admission, core.records, core.generations, core.reloads),
        rollback.routes(admission, ready, targets, core.activation, core.reloads, root_path),
        checkpoints.routes(admission, ready, core.catalogue, core.records, core.reloads, core.thread, settings),
    ]


def _add_middleware(app: FastAPI, core: Core, routes: list[APIRoute]) -> None:
    """Put every request through the middleware, of which the last one here comes first."""
    if core.tracing.provider is None:
        # FastAPI makes the spans of its routes itself.
        hot = [route for route in routes if route.path in _HOT]
        app.add_middleware(Shortcut, routes=hot, max_body=core.settings.limits.body)
    app.add_middleware(ContentEncoding)
    app.add_middleware(LocalOriginOnly, keyring=core.keyring)
    app.add_middleware(Audited)
    app.add_middleware(RequestMetrics, telemetry=core.telemetry)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(CancelOnDisconnect, paths=_FOR_ONE_CALLER)
    app.add_middleware(Paths, paths=[route.path for route in routes])


@asynccontextmanager
async def _running(core: Core, on_ready: Callable[[], None], on_failure: Callable[[str], None]) -> AsyncIterator[None]:
    """Within it the core runs in the background, from its start to its stop."""

    async def run() -> None:
        try:
            await core.start()
        except InstarError as error:
            on_failure(error.message)
            return
        on_ready()
        await core.maintain()

    def report(task: "asyncio.Task[None]") -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        log.error("the background task ended", exc_info=error)
        # The service goes on answering; /health asks for a restart.
        core.failure = f"{type(error).__name__}: {error}"
        if not core.ready:
            on_failure(core.failure)

    task = asyncio.create_task(run(), name="instar-start")
    task.add_done_callback(report)
    yield
    core.stopping.set()
    task.cancel()
    await asyncio.wait([task])
    await core.stop()
