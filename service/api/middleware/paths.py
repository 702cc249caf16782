"""Accepts other spellings of requests: a path that ends in a slash or lacks /v1, and HEAD in place of GET."""

from collections.abc import Iterable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

# Clients of Infinity expect OpenAI's routes at the root.
_ALIASES = {"/embeddings": "/v1/embeddings", "/models": "/v1/models"}


class Paths:
    """ASGI middleware. A path may end in a slash unless its route has a parameter, which could contain the slash."""

    def __init__(self, app: ASGIApp, paths: Iterable[str]) -> None:
        self._app = app
        targets = {path: path for path in paths if "{" not in path and path != "/"} | _ALIASES
        slashed = {f"{spelt}/": path for spelt, path in targets.items()}
        self._paths: Mapping[str, str] = _ALIASES | slashed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = self._paths.get(scope["path"])
            if path is not None:
                scope = {**scope, "path": path, "raw_path": path.encode()}
            if scope["method"] == "HEAD":
                # The server sends no body, because its own scope still says HEAD.
                scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)
