"""Cancels the request of a caller that hangs up, so that its waiting texts are not encoded.

FastAPI lets a handler run to its end, whether anybody listens or not. On the routes that work for one caller alone, the
connection reports its loss (`service.process.connection`). A task for each request that waits for the loss (ASGI 3,
"http.disconnect") would take a seventh of the event loop's time.
"""

import asyncio
from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

# The extension (ASGI 3, "Extensions") with a set of functions to call when the connection is lost.
ON_DISCONNECT = "instar.on_disconnect"
# The paths of work for one caller alone. A reload or an upload serves everybody, and goes on without its caller.
FOR_ONE_CALLER = (
    *("/embed", "/similarity", "/rerank", "/v1/", "/v2/", "/search", "/documents"),
    "/admin/judgements/queue",
)


class CancelOnDisconnect:
    """ASGI middleware that cancels requests to `paths` and below when their caller hangs up."""

    def __init__(self, app: ASGIApp, paths: Sequence[str]) -> None:
        self._app = app
        self._paths = tuple(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answering = asyncio.current_task()
        # The console calls within the process, where no connection can be lost.
        callbacks = scope.get("extensions", {}).get(ON_DISCONNECT)
        if callbacks is None or answering is None or not scope["path"].startswith(self._paths):
            await self._app(scope, receive, send)
            return
        disconnected = False

        def cancel() -> None:
            nonlocal disconnected
            disconnected = True
            answering.cancel()

        callbacks.add(cancel)
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if not disconnected or answering.uncancel():
                raise
        finally:
            callbacks.discard(cancel)
