"""Unpacks compressed request bodies (RFC 9110, 8.4) as they come, a bounded part at a time."""

import zlib
from collections.abc import AsyncGenerator

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api import failures
from service.errors import InvalidRequest, UnsupportedEncoding

# The most bytes of an unpacked part.
_PART = 1 << 16
# zlib's window bits for each header. Some clients send deflate without one by the name deflate.
_GZIP, _DEFLATE, _BARE = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_NAME = b"content-encoding"


class ContentEncoding:
    """ASGI middleware that unpacks bodies. Handlers limit the body that they read, which is the unpacked one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        encoding = b""
        if scope["type"] == "http":
            encoding = next((value for name, value in scope["headers"] if name == _NAME), b"").strip().lower()
        if encoding in (b"", b"identity"):
            await self._app(scope, receive, send)
            return
        if encoding not in (b"gzip", b"x-gzip", b"deflate"):
            error = UnsupportedEncoding(
                "the body's Content-Encoding must be gzip, deflate or identity: send one of these"
            )
            await failures.error_answer(Request(scope), error)(scope, receive, send)
            return
        # These headers describe the packed body.
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in (_NAME, b"content-length")]
        parts = _unpacked(receive, encoding == b"deflate")

        async def unpacked() -> Message:
            return await anext(parts, None) or await receive()

        try:
            await self._app(scope, unpacked, send)
        finally:
            await parts.aclose()


async def _unpacked(receive: Receive, deflate: bool) -> AsyncGenerator[Message]:
    """Yield the messages of a body, unpacked."""
    unpacking = None
    while True:
        message = await receive()
        if message["type"] != "http.request":
            yield message
            return
        packed = message.get("body", b"")
        if unpacking is None and packed:
            unpacking = zlib.decompressobj(_bits(packed) if deflate else _GZIP)
        more = message.get("more_body", False)
        while unpacking is not None and packed:
            try:
                body = unpacking.decompress(packed, _PART)
            except zlib.error as error:
                raise InvalidRequest(
                    f"the body is not what its Content-Encoding says ({error}): pack it again, or send it as it is"
                ) from error
            packed = unpacking.unconsumed_tail
            if packed or body:
                yield {"type": "http.request", "body": body, "more_body": True}
        if not more:
            if unpacking is not None and not unpacking.eof:
                raise InvalidRequest("the body ends in the middle of what was packed: send all of it")
            yield {"type": "http.request", "body": b"", "more_body": False}
            return


def _bits(packed: bytes) -> int:
    """Return zlib's window bits for deflate, whose first byte tells whether it has a header (RFC 1950)."""
    return _DEFLATE if packed[0] & 0x0F == 8 else _BARE
