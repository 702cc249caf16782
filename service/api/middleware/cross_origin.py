"""Scripts of the pages that the settings name may send feedback (CORS); no other routes are open to other origins."""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_PATHS = ("/feedback", "/ubi/queries", "/ubi/events")
_HEADERS = ("Authorization", "Content-Type", "api-key", "X-API-Key")


class FeedbackOrigins:
    """ASGI middleware that lets scripts of `origins` call the routes of feedback, with a key in a header."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._shared: ASGIApp = app
        if origins:
            self._shared = CORSMiddleware(
                app,
                allow_origins=origins,
                allow_methods=["POST"],
                allow_headers=_HEADERS,
                expose_headers=["Retry-After"],
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._shared if scope["type"] == "http" and scope["path"] in _PATHS else self._app
        await app(scope, receive, send)
