"""Scripts of the pages that the settings name may send feedback (CORS); no other route is open to other origins."""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_PATH = "/feedback"
_HEADERS = ("Authorization", "Content-Type", "api-key", "X-API-Key")


class FeedbackOrigins:
    """ASGI middleware that lets scripts of `origins` call the route of feedback, with a key in a header."""

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
        app = self._shared if scope["type"] == "http" and scope["path"] == _PATH else self._app
        await app(scope, receive, send)
