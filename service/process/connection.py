"""One connection: uvicorn's, which gives up on a request whose head does not end in time, or not at all (Slowloris).

And the head of an answer leaves with its body: in one system call, and one packet for whoever waits for it. Who works
on a request may be told that its caller has gone (`ON_DISCONNECT`).
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.api.middleware.disconnect import ON_DISCONNECT

HEAD_SECONDS = 10.0
# nginx takes 32 kB, Node.js 16.
HEAD_BYTES = 65_536


class _Joining:
    """A transport that writes once what it is given within one turn of the event loop."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts and not self._transport.is_closing():
            self._transport.write(b"".join(parts))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Connection(HttpToolsProtocol):
    """Closes when the head of a request takes longer than `HEAD_SECONDS` or has more than `HEAD_BYTES`.

    Bodies are bounded where they are read, and may take as long as they like: a stream of documents does.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._deadline: asyncio.TimerHandle | None = None
        self._in_body = False
        # Whether the bytes that came last had the end of a head in them, or belong to a body.
        self._had_head = False
        self._size = 0
        self._on_disconnect: set[Callable[[], None]] = set()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, _Joining(transport, self.loop)))
        self._begin()

    def data_received(self, data: bytes) -> None:
        self._had_head = self._in_body
        super().data_received(data)
        # Most heads come whole, and need no timer.
        if self._had_head:
            return
        if self._deadline is None:
            self._begin()
        self._size += len(data)
        if self._size > HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(f"The head of the request has more than {HEAD_BYTES} bytes: send fewer.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions: dict[str, Any] = {ON_DISCONNECT: self._on_disconnect}
        self.scope["extensions"] = extensions

    def on_headers_complete(self) -> None:
        self._end()
        self._in_body = self._had_head = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_body = False
        super().on_message_complete()
        if not self.pipeline:
            # uvicorn pauses at a large body until more of it is asked for, and then hears of no end.
            self.flow.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)
        for callback in tuple(self._on_disconnect):
            callback()

    def _begin(self) -> None:
        self._size = 0
        self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _end(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
