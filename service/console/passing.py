"""Large answers of the public API, passed on as they come, with the key of the person who is signed in."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

# What routing has left in a scope, which is of the console's own route.
_OF_ROUTE = {"route", "endpoint", "path_params", "router", "state", "fastapi_inner_astack", "fastapi_function_astack"}


class Passed(Response):
    """The answer to `GET path` of the application that serves `request`; nothing of it is gathered in memory."""

    def __init__(self, request: Request, path: str, key: str | None) -> None:
        super().__init__()
        self._app = request.app
        self._path = path
        self._sent: list[tuple[bytes, bytes]] = [
            (name, value)
            for name, value in request.headers.raw
            if name not in (b"content-length", b"content-type", b"cookie", b"authorization")
        ]
        if key is not None:
            self._sent.append((b"authorization", f"Bearer {key}".encode()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kept = {name: value for name, value in scope.items() if name not in _OF_ROUTE}
        path = {"path": self._path, "raw_path": self._path.encode(), "query_string": b""}
        await self._app({**kept, **path, "method": "GET", "headers": self._sent, "state": {}}, receive, send)
