"""Reading request bodies: bounded, and strict JSON (RFC 8259) with well-formed Unicode only."""

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

from service.api import mistakes
from service.errors import InvalidRequest, TooLarge

# What some editors and clients put before UTF-8 (RFC 8259, 8.1: a parser may ignore it).
BOM = b"\xef\xbb\xbf"
_Model = TypeVar("_Model", bound=BaseModel)


class StrictRequest(Request):
    """A request whose body is bounded, and whose JSON has no NaN and no lone surrogates."""

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            limit = self.app.state.core.settings.limits.body
            self._body = b"".join([part async for part in bounded(self.stream(), limit, "INSTAR_LIMITS__BODY")])
        return self._body

    async def json(self) -> Any:
        # orjson's error is a json.JSONDecodeError, which FastAPI answers as a validation error.
        return orjson.loads((await self.body()).removeprefix(BOM))


class StrictRoute(APIRoute):
    """A route that reads its requests as `StrictRequest`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            own = StrictRequest(request.scope, request.receive)
            # Here, because FastAPI turns whatever goes wrong while it reads the body into a plain 400.
            if request.headers.get("Content-Type", "").startswith("application/json"):
                await own.body()
            return await handle(own)

        return strict


async def bounded(stream: AsyncIterator[bytes], limit: int, setting: str) -> AsyncIterator[bytes]:
    """Pass on `stream`; raises TooLarge when it is longer than `limit` bytes."""
    size = 0
    async for part in stream:
        size += len(part)
        if size > limit:
            raise TooLarge(f"the body is larger than {limit} bytes: send less at a time, or raise {setting}")
        yield part


def parse(model: type[_Model], raw: bytes, where: str = "the body") -> _Model:
    """Validate JSON as `model`; raises InvalidRequest that names `where` and the field."""
    try:
        return model.model_validate(orjson.loads(raw.removeprefix(BOM)))
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"{where} is not valid JSON ({error}): send UTF-8 encoded JSON") from error
    except ValidationError as error:
        message, field = mistakes.explain(error.errors(), model)
        raise InvalidRequest(f"{where}: {message}", field) from error


async def lines(stream: AsyncIterator[bytes], limit: int) -> AsyncIterator[tuple[int, bytes]]:
    """The non-empty lines of an NDJSON stream, numbered from 1; raises TooLarge for one longer than `limit` bytes."""
    rest = bytearray()
    number = 0
    async for part in stream:
        rest += part
        if b"\n" in part:
            *whole, last = rest.split(b"\n")
            rest = bytearray(last)
            for line in whole:
                number += 1
                if line.strip():
                    yield number, bytes(line)
        if len(rest) > limit:
            raise TooLarge(f"line {number + 1} is longer than {limit} bytes: split it, or raise INSTAR_LIMITS__BODY")
    if rest.strip():
        yield number + 1, bytes(rest)
