"""The shortcut past FastAPI: taken where a request is as clients send it, and the same answers by either way."""

import asyncio
import json
from typing import Any

import pytest
from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.types import Message, Receive, Scope, Send

from service.api.middleware.shortcut import Shortcut
from service.errors import NotReady, Unauthorized
from tests.support.server import Server

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


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"input": "a text", "model": "active"}),
        ("/v1/embeddings", {"input": ["a text", "another"], "encoding_format": "base64", "dimensions": 3}),
        ("/v1/embeddings", {"input": [[1045, 2293], [1012]]}),
        ("/v1/embeddings", {"input": " "}),
        ("/v1/embeddings", {"input": "a text", "model": "nobody's"}),
        ("/v1/embeddings", {"input": 7}),
        ("/v1/embeddings", {"input": "a text", "dimensions": "many"}),
        ("/v1/embeddings", {}),
        ("/v1/embeddings", []),
        ("/embed", {"inputs": ["a text", "another"], "truncate": True, "normalize": False}),
        ("/embed", {"inputs": [], "truncate": True}),
        ("/embed", {"inputs": "a text", "truncate": "perhaps"}),
        ("/search", {"query": "a text", "k": 2, "collection": "nowhere"}),
        ("/search", {"query": "a text", "k": 0}),
        ("/search", {"query": "a text", "filter": {"and": "never"}}),
    ],
)
def test_a_service_answers_the_same_by_either_way(server: Server, path: str, body: object) -> None:
    def answered(kind: str) -> tuple[int, Any, set[str]]:
        answer = server.client.post(path, content=json.dumps(body), headers={"Content-Type": kind})
        return answer.status_code, answer.json(), set(answer.headers)

    # FastAPI takes this for JSON, too.
    long = answered("application/vnd.api+json")
    assert answered(JSON) == long


def test_requests_by_the_shortcut_are_counted_for_their_route(server: Server) -> None:
    def counted() -> float:
        name = 'instar_requests_total{method="POST",route="/v1/embeddings",status="200"}'
        lines = server.client.get("/metrics").text.splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)), 0.0)

    before = counted()
    server.post("/v1/embeddings", {"input": "a text"})
    assert counted() == before + 1
