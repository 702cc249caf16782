"""A caller that hangs up costs nothing more: its request is cancelled, and what waits for it is not encoded.

FastAPI lets a handler run to its end, whoever still listens. The connection tells when it is lost
(`service.process.connection`), on the routes where work is done for one caller alone: a task beside each request that
waits for it (ASGI 3, "http.disconnect") takes a seventh of the event loop's time.
"""

import asyncio
from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

# The extension (ASGI 3, "Extensions") that holds a set of functions, to be called when the connection is lost.
HANG_UPS = "instar.hang_ups"


class HangUp:
    """Cancels requests to `paths` and below when their caller has gone."""

    def __init__(self, app: ASGIApp, paths: Sequence[str]) -> None:
        self._app = app
        self._paths = tuple(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answering = asyncio.current_task()
        if scope["type"] != "http" or not scope["path"].startswith(self._paths) or answering is None:
            await self._app(scope, receive, send)
            return
        gone = False

        def hang_up() -> None:
            nonlocal gone
            gone = True
            answering.cancel()

        lost = scope["extensions"][HANG_UPS]
        lost.add(hang_up)
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if not gone or answering.uncancel():
                raise
        finally:
            lost.discard(hang_up)
