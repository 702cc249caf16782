"""The shortcut past FastAPI is taken where a request is as clients send it, and nowhere else."""

import asyncio
import json

import pytest
from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.types import Message, Receive, Scope, Send

from service.api.middleware.shortcut import Shortcut
from service.errors import NotReady, Unauthorized

JSON = "application/json"


MOST = 100


class Asked(BaseModel):
    """A request of the toy route."""

    number: int


def hot_route() -> APIRoute:
    router = APIRouter(dependencies=[Depends(check)])

    @router.post("/hot")
    async def double(asked: Asked) -> Response:
        if asked.number == 0:
            raise NotReady("try again in a moment")
        return Response(str(2 * asked.number))

    (route,) = router.routes
    assert isinstance(route, APIRoute)
    return route


async def check(request: Request) -> None:
    if request.headers.get("Authorization") == "Bearer stolen":
        raise Unauthorized("take another key")


async def fastapi(scope: Scope, receive: Receive, send: Send) -> None:
    """What is behind the shortcut: it says what it was sent."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message.get("more_body", False)
    await Response(b"behind: " + body)(scope, receive, send)


def ask(*parts: bytes, method: str = "POST", path: str = "/hot", **headers: str) -> tuple[int, bytes]:
    """The status and the body of the answer to a request, whose own body comes in parts."""
    sent: list[Message] = []
    messages: list[Message] = [
        {"type": "http.request", "body": part, "more_body": number < len(parts)} for number, part in enumerate(parts, 1)
    ]
    named = {"content-type": JSON} | {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Shortcut(fastapi, [hot_route()], MOST)(scope, receive, send))
    return sent[0]["status"], sent[1]["body"]


@pytest.mark.parametrize("kind", [JSON, "Application/JSON", "application/json; charset=utf-8"])
def test_a_whole_and_valid_request_takes_the_shortcut(kind: str) -> None:
    assert ask(b'{"number": 21}', content_type=kind) == (200, b"42")


@pytest.mark.parametrize(
    ("parts", "more"),
    [
        ((b'{"number": 21}',), {"method": "PUT"}),
        ((b'{"number": 21}',), {"path": "/hot/"}),
        ((b'{"number": 21}',), {"content_type": "text/plain"}),
        ((b'{"number": 21}',), {"content_type": "application/jsonl"}),
        ((b'{"num', b'ber": ', b"21}"), {}),
        ((b'{"number": 21' + MOST * b" " + b"}",), {}),
        ((b'{"number": "many"}',), {}),
        ((b'{"number": NaN}',), {}),
        ((b'{"number": "\xff"}',), {}),
        ((b"",), {}),
    ],
)
def test_all_else_goes_the_long_way_as_it_came(parts: tuple[bytes, ...], more: dict[str, str]) -> None:
    assert ask(*parts, **more) == (200, b"behind: " + b"".join(parts))


def test_a_check_and_the_handler_may_refuse() -> None:
    status, text = ask(b'{"number": 21}', authorization="Bearer stolen")
    assert (status, json.loads(text)["error"]["message"]) == (401, "take another key")
    status, text = ask(b'{"number": 0}')
    assert (status, json.loads(text)["error"]["type"]) == (503, "not_ready")
