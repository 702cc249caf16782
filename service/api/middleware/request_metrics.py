"""Metrics of requests: their number and their time, by route, for Prometheus and for the history of the last hour."""

import asyncio
import time

from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.middleware.recorded_status import StatusRecorder
from service.observability.history import History
from service.observability.observer import Observer


class RequestMetrics:
    """ASGI middleware that counts and times the requests of every known route."""

    def __init__(self, app: ASGIApp, observer: Observer, history: History) -> None:
        self._app = app
        self._observer = observer
        self._history = history

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        recorder = StatusRecorder(send)
        try:
            await self._app(scope, receive, recorder)
        except asyncio.CancelledError:
            # No answer has this status. nginx logs it for a caller that has hung up.
            recorder.status = 499
            raise
        finally:
            # The template is the label, because the path has the document's id in it.
            route = getattr(scope.get("route"), "path", "unknown")
            seconds = time.perf_counter() - began
            self._observer.answered(route, scope["method"], recorder.status, seconds)
            self._history.answered(route, recorder.status, seconds)
