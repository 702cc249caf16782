"""A shortcut past FastAPI for requests that come thousands of times in a second.

FastAPI looks through all routes twice, opens three stacks of contexts and gathers dependencies, which takes longer than
all the work of the service itself for a short question on the event loop. A request as clients send it, whose body is
in one piece and valid, needs none of this: its key is checked, and its handler is called. FastAPI answers all other
requests, invalid ones above all.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, get_type_hints

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api import failures
from service.errors import InstarError


class Shortcut:
    """ASGI middleware that calls the handlers of `routes`, which take a model of their body and nothing else."""

    def __init__(self, app: ASGIApp, routes: Iterable[APIRoute], max_body: int) -> None:
        self._app = app
        self._handlers = {route.path: _Handler(route) for route in routes}
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = self._handlers.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if handler is None or not _is_json(scope):
            await self._app(scope, receive, send)
            return
        try:
            message = await receive()
        except InstarError as error:
            await failures.error_answer(Request(scope), error)(scope, receive, send)
            return
        body = message.get("body", b"")
        complete = (
            message["type"] == "http.request" and not message.get("more_body", False) and len(body) <= self._max_body
        )
        content = handler.read(body) if complete else None
        if content is None:
            await self._app(scope, _again(message, receive), send)
            return
        # RequestMetrics counts by it.
        scope["route"] = handler.route
        request = Request(scope, receive)
        try:
            answer = await handler.call(request, content)
        except InstarError as error:
            answer = failures.error_answer(request, error)
        await answer(scope, receive, send)


class _Handler:
    """The function of a route, and what goes before it."""

    def __init__(self, route: APIRoute) -> None:
        self.route = route
        self._function: Callable[[Any], Awaitable[Response]] = route.endpoint
        (parameter,) = inspect.signature(route.endpoint).parameters
        self._model: type[BaseModel] = get_type_hints(route.endpoint)[parameter]
        self._checks = [depends.dependency for depends in route.dependencies if depends.dependency is not None]

    def read(self, body: bytes) -> BaseModel | None:
        """The body; None if something is wrong with it."""
        try:
            return self._model.model_validate(orjson.loads(body))
        except (orjson.JSONDecodeError, ValidationError):
            return None

    async def call(self, request: Request, content: BaseModel) -> Response:
        """The answer of the function; raises InstarError, as it and the checks do."""
        for check in self._checks:
            await check(request)
        return await self._function(content)


def _is_json(scope: Scope) -> bool:
    """Whether the body is said to be JSON, which has no other encoding than UTF-8 (RFC 8259)."""
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    return bool(kind.partition(b";")[0].strip().lower() == b"application/json")


def _again(message: Message, receive: Receive) -> Receive:
    """`receive`, replaying `message`."""
    replayed = False

    async def received() -> Message:
        nonlocal replayed
        if replayed:
            return await receive()
        replayed = True
        return message

    return received
