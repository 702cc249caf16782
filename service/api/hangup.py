"""A caller that hangs up costs nothing more: its request is cancelled, and what waits for it is not encoded.

FastAPI lets a handler run to its end, whoever still listens. The connection is watched from the moment the body has
been read (ASGI 3, "http.disconnect"), on the routes where work is done for one caller alone.
"""

import asyncio
from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HangUp:
    """Cancels requests to `paths` and below when their caller has gone."""

    def __init__(self, app: ASGIApp, paths: Sequence[str]) -> None:
        self._app = app
        self._paths = tuple(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(self._paths):
            await self._app(scope, receive, send)
            return
        answering = asyncio.current_task()
        watching: asyncio.Task[None] | None = None
        gone = False

        async def watch() -> None:
            nonlocal gone
            while (await receive())["type"] != "http.disconnect":
                pass
            gone = True
            if answering is not None:
                answering.cancel()

        async def heard() -> Message:
            nonlocal watching
            message = await receive()
            if watching is None and not message.get("more_body", False):
                watching = asyncio.create_task(watch())
            return message

        async def answered(message: Message) -> None:
            # The server also says that the caller has gone when the answer is complete.
            if watching is not None and message["type"] == "http.response.body" and not message.get("more_body", False):
                watching.cancel()
            await send(message)

        try:
            await self._app(scope, heard, answered)
        except asyncio.CancelledError:
            if not gone or answering is None or answering.uncancel():
                raise
        finally:
            if watching is not None:
                watching.cancel()
