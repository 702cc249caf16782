"""The HTTP application: wiring only."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute

from service import __version__
from service.api import contract, failures
from service.api.contract import Described
from service.api.keys import Keys
from service.api.middleware.audit import Audited
from service.api.middleware.content_encoding import ContentEncoding
from service.api.middleware.disconnect import HangUp
from service.api.middleware.metrics import Measured, State
from service.api.middleware.origin import OwnPages
from service.api.middleware.paths import Paths
from service.api.middleware.protection import Protected
from service.api.middleware.shortcut import Shortcut
from service.api.routes import admin, collections, documents, events, health, judgements, openai, rollback, search
from service.api.routes import checkpoints as models
from service.api.routes import embed as tei
from service.api.streams import Streams
from service.core import Core
from service.errors import InstarError

log = logging.getLogger(__name__)

_HOT = ("/v1/embeddings", "/embed", "/search")


def build(core: Core, on_ready: Callable[[], None], on_failure: Callable[[str], None]) -> FastAPI:
    """The application for `core`, which it starts in the background: `/health` answers from the beginning.

    `on_ready` is called when requests are answered, `on_failure` with the reason if that cannot be.
    """

    async def start() -> None:
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
        # What answers already goes on answering; /health asks for a restart.
        core.ailment = f"{type(error).__name__}: {error}"
        if not core.ready:
            on_failure(core.ailment)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(start(), name="instar-start")
        task.add_done_callback(report)
        yield
        core.stopping.set()
        task.cancel()
        await asyncio.wait([task])
        await core.stop()

    app = Described(
        title="Instar",
        version=__version__,
        lifespan=lifespan,
        root_path=core.settings.proxy.path,
        description=contract.DESCRIPTION,
        openapi_tags=contract.TAGS,
        servers=[{"url": "/", "description": "the service that answers this document"}],
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        telemetry={
            "tracer_provider": core.tracing.provider,
            "tracing": core.tracing.provider is not None,
            "operation_spans": False,
            # Numbers are those of Prometheus, and its logs would have texts of callers in them.
            "metrics": False,
            "logs": False,
            "auto_configure": False,
        },
    )
    app.state.core = core
    keys = Keys(core.keyring, core.allowances)
    streams = Streams(core.settings.limits.streams, core.stopping)
    routers = [
        module.routes(core, keys) for module in (tei, openai, search, documents, collections, judgements, health)
    ]
    routers += [module.routes(core, keys, streams) for module in (events, admin)]
    routers += [module.routes(core, keys) for module in (rollback, models)]
    core.telemetry.registry.register(State(core))
    if core.tracing.provider is None:
        # FastAPI makes the spans of its routes itself.
        routes = (route for router in routers for route in router.routes)
        hot = [route for route in routes if isinstance(route, APIRoute) and route.path in _HOT]
        app.add_middleware(Shortcut, routes=hot, max_body=core.settings.limits.body)
    app.add_middleware(ContentEncoding)
    app.add_middleware(OwnPages, keyring=core.keyring)
    app.add_middleware(Audited)
    app.add_middleware(Measured, telemetry=core.telemetry)
    app.add_middleware(Protected)
    # A reload or an upload is for everyone, and goes on.
    app.add_middleware(HangUp, paths=("/embed", "/similarity", "/v1/", "/search", "/documents"))
    app.add_middleware(
        Paths, paths=[route.path for router in routers for route in router.routes if isinstance(route, APIRoute)]
    )
    failures.install(app)
    for router in routers:
        app.include_router(router)
    app.webhooks.include_router(events.webhooks())
    return app
