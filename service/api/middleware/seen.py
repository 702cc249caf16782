"""A replica answers when it has seen enough: what all have shown a moment ago, and what its client has seen.

An answer to a write says its place in the header `X-Instar-Seen`, and a search on any replica may ask for it. The value
is opaque to clients. They keep the latest one, and send it along.
"""

from collections.abc import Awaitable
from typing import Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api import failures
from service.errors import InstarError, InvalidRequest
from service.settings.groups import ReplicaSettings

SEEN_HEADER = "X-Instar-Seen"
# Seconds that a request waits for what it must have seen.
_PATIENCE = 5.0
# Seconds after which what the others have changed counts, such as the generation that is active. A process that was
# stopped has not looked for longer.
_FRESH = 0.8
_LONGEST = 19
# The paths of documents, and of searches among them; and those that say how this process is.
_DOCUMENTS = ("/search", "/documents", "/collections")
_STATE = ("/health", "/ready", "/metrics")


class Follower(Protocol):
    """How far this replica has followed the changes of all."""

    @property
    def position(self) -> int: ...
    def seen(self, position: int, patience: float, /) -> Awaitable[None]: ...
    def refresh(self, age: float, patience: float, /) -> Awaitable[None]: ...


class Seen:
    """ASGI middleware that lets requests wait for what this replica must have seen.

    If the store cannot be reached, what needs no store is answered for `stale_seconds` all the same.
    """

    def __init__(self, app: ASGIApp, follower: Follower, replicas: ReplicaSettings) -> None:
        self._app = app
        self._follower = follower
        self._fresh = max(_FRESH, replicas.stale_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_STATE):
            await self._app(scope, receive, send)
            return
        try:
            await self._follower.refresh(self._fresh, _PATIENCE)
            await self._wait(Headers(scope=scope).get(SEEN_HEADER))
        except InstarError as error:
            await failures.error_answer(Request(scope), error)(scope, receive, send)
            return

        async def send_position(message: Message) -> None:
            if message["type"] == "http.response.start" and scope["path"].startswith(_DOCUMENTS):
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
