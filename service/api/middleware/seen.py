"""What a client has seen, on whichever replica: an answer to a write says its place, and a search may ask for it.

The header's value is opaque to clients. They keep the latest one, and send it along.
"""

from collections.abc import Awaitable
from typing import Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api import failures
from service.errors import InstarError, InvalidRequest

SEEN_HEADER = "X-Instar-Seen"
# Seconds that a request waits for a write that it has seen.
_PATIENCE = 5.0
_LONGEST = 19
# The paths of documents, and of searches among them.
_PATHS = ("/search", "/documents", "/collections")


class Follower(Protocol):
    """How far this replica has followed the changes of all."""

    @property
    def position(self) -> int: ...
    def seen(self, position: int, patience: float, /) -> Awaitable[None]: ...


class Seen:
    """ASGI middleware that lets requests wait for what their client has seen."""

    def __init__(self, app: ASGIApp, follower: Follower) -> None:
        self._app = app
        self._follower = follower

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_PATHS):
            await self._app(scope, receive, send)
            return
        try:
            await self._wait(Headers(scope=scope).get(SEEN_HEADER))
        except InstarError as error:
            await failures.error_answer(Request(scope), error)(scope, receive, send)
            return

        async def send_position(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[SEEN_HEADER] = str(self._follower.position)
            await send(message)

        await self._app(scope, receive, send_position)

    async def _wait(self, seen: str | None) -> None:
        if seen is None:
            return
        if not (seen.isascii() and seen.isdigit() and len(seen) <= _LONGEST):
            raise InvalidRequest(
                f"{SEEN_HEADER} is not one that an answer had: send the latest one, or none", SEEN_HEADER
            )
        await self._follower.seen(int(seen), _PATIENCE)
