"""Headers that keep browsers from taking answers for what they are not (OWASP, HTTP Headers Cheat Sheet).

Other sites get nothing: without CORS headers a browser lets no script of theirs read an answer.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


class Protected:
    """ASGI middleware that adds them to every answer, but for those to what nobody has expected: these are made outside
    of it (`service.api.failures`)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        await self._app(scope, receive, protected if scope["type"] == "http" else send)
