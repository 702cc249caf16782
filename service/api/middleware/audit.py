"""The audit log: a line for each request that changes documents, or does more than read at `/admin`."""

import logging

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.middleware.recorded_status import StatusRecorder

log = logging.getLogger(__name__)

_PATHS = ("/admin/", "/documents", "/collections/")
# POST requests that change nothing.
_QUESTIONS = ("/documents/matching", "/documents/inspect")
_LOOKS = ("GET", "HEAD", "OPTIONS")
# GET requests that are audited anyway: a backup contains everything, an export all texts.
_TAKES = ("/admin/backup", "/admin/export")
# A user who is forgotten is not named in the log either.
_USERS = "/admin/users/"
# The attribute in a request's state by which a handler says how much it has changed.
_COUNTS = "audited"


def note(request: Request, **counts: int | str) -> None:
    """Add `counts` to the line about `request`."""
    setattr(request.state, _COUNTS, counts)


class Audited:
    """ASGI middleware that logs the action, the key, the address and the outcome of a request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_PATHS):
            await self._app(scope, receive, send)
            return
        looks = scope["method"] in _LOOKS or (scope["method"] == "POST" and scope["path"] in _QUESTIONS)
        if looks and scope["path"] not in _TAKES:
            await self._app(scope, receive, send)
            return
        recorder = StatusRecorder(send)
        try:
            await self._app(scope, receive, recorder)
        finally:
            client = scope.get("client")
            fields = {
                # The path stays percent-encoded, so no caller can write lines into the log.
                "action": f"{scope['method']} {_path(scope)}",
                "key": scope.get("state", {}).get("key"),
                "client": client[0] if client else None,
                "status": recorder.status,
                **scope.get("state", {}).get(_COUNTS, {}),
            }
            log.info("audit", extra={"fields": fields})


def _path(scope: Scope) -> str:
    path: str = scope["raw_path"].decode("ascii", "replace")
    return f"{_USERS}…" if scope["path"].startswith(_USERS) else path[:200]
