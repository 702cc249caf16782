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
        complete = asyncio.Event()

        async def heard() -> Message:
            message = await receive()
            if not message.get("more_body", False):
                complete.set()
            return message

        async def watch() -> None:
            await complete.wait()
            while (await receive())["type"] != "http.disconnect":
                pass

        async def answered(message: Message) -> None:
            # The server also says that the caller has gone when the answer is complete.
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                watching.cancel()
            await send(message)

        async def answer() -> None:
            await self._app(scope, heard, answered)

        watching = asyncio.create_task(watch())
        answering = asyncio.create_task(answer())
        try:
            await asyncio.wait((watching, answering), return_when=asyncio.FIRST_COMPLETED)
            if watching.cancelled() or answering.done():
                await answering
        finally:
            watching.cancel()
            answering.cancel()
            await asyncio.wait((watching, answering))
