"""Reads request bodies: of bounded size, and as strict JSON (RFC 8259) with well-formed Unicode only."""

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

from service.api import mistakes
from service.errors import InvalidRequest, TooLarge

# Some editors and clients put this before UTF-8. A parser may ignore it (RFC 8259, 8.1).
BOM = b"\xef\xbb\xbf"
_Model = TypeVar("_Model", bound=BaseModel)


def strict_route(max_body: int) -> type[APIRoute]:
    """Return a class of routes with bodies of at most `max_body` bytes, and JSON without NaN and lone surrogates."""

    class StrictRequest(Request):
        async def body(self) -> bytes:
            if not hasattr(self, "_body"):
                self._body = b"".join([part async for part in bounded(self.stream(), max_body, "INSTAR_LIMITS__BODY")])
            return self._body

        async def json(self) -> Any:
            # orjson's error is a json.JSONDecodeError, which FastAPI answers as a validation error.
            return orjson.loads((await self.body()).removeprefix(BOM))

    class StrictRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def strict(request: Request) -> Response:
                strict_request = StrictRequest(request.scope, request.receive)
                # Read here, because FastAPI turns any error while it reads the body into a plain 400.
                if request.headers.get("Content-Type", "").startswith("application/json"):
                    await strict_request.body()
                return await handle(strict_request)

            return strict

    return StrictRoute


async def bounded(stream: AsyncIterator[bytes], limit: int, setting: str) -> AsyncIterator[bytes]:
    """Pass `stream` on. Raises TooLarge if it is longer than `limit` bytes, the value of `setting`."""
    size = 0
    async for part in stream:
        size += len(part)
        if size > limit:
            raise body_too_long(limit, setting)
        yield part


def body_too_long(limit: int, setting: str) -> TooLarge:
    """A body has more than `limit` bytes."""
    return TooLarge(f"the body is larger than {limit} bytes: send less at a time, or raise {setting}")


def parse(model: type[_Model], raw: bytes, where: str = "the body") -> _Model:
    """Validate JSON as `model`. Raises InvalidRequest, which names `where` and the field."""
    return validated(model, read_json(raw, where), where)


def read_json(raw: bytes, where: str = "the body") -> Any:
    """Return what JSON says. Raises InvalidRequest, which names `where`."""
    try:
        return orjson.loads(raw.removeprefix(BOM))
    except orjson.JSONDecodeError as error:
        raise not_json(where, error) from error


def validated(model: type[_Model], content: Any, where: str = "the body") -> _Model:
    """Return `content` as `model`. Raises InvalidRequest, which names `where` and the field."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        message, field = mistakes.explain(error.errors(), model)
        raise InvalidRequest(f"{where}: {message}", field) from error


def not_json(where: str, reason: object) -> InvalidRequest:
    """The text at `where` cannot be read as JSON."""
    return InvalidRequest(f"{where} is not valid JSON ({reason}): send UTF-8 encoded JSON")


async def lines(stream: AsyncIterator[bytes], limit: int) -> AsyncIterator[tuple[int, bytes]]:
    """Yield the non-empty lines of an NDJSON stream, numbered from 1. Raises TooLarge for one above `limit` bytes."""
    unfinished = bytearray()
    number = 0
    async for part in stream:
        unfinished += part
        if b"\n" in part:
            *complete, last = unfinished.split(b"\n")
            unfinished = bytearray(last)
            for line in complete:
                number += 1
                if line.strip():
                    yield number, bytes(line)
        if len(unfinished) > limit:
            raise TooLarge(f"line {number + 1} is longer than {limit} bytes: split it, or raise INSTAR_LIMITS__BODY")
    if unfinished.strip():
        yield number + 1, bytes(unfinished)
