"""Who changed what: a line in the log for every request to `/admin` that is more than a look."""

import logging

from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.status import Noted

log = logging.getLogger(__name__)

_LOOKS = ("GET", "HEAD", "OPTIONS")
# That takes away all there is.
_TAKES = ("/admin/backup",)


class Audited:
    """ASGI middleware that logs action, key, address and outcome."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/admin/"):
            await self._app(scope, receive, send)
            return
        if scope["method"] in _LOOKS and scope["path"] not in _TAKES:
            await self._app(scope, receive, send)
            return
        noted = Noted(send)

        try:
            await self._app(scope, receive, noted)
        finally:
            client = scope.get("client")
            fields = {
                # As it came, percent-encoded: nobody writes lines of his own into the log.
                "action": f"{scope['method']} {scope['raw_path'].decode('ascii', 'replace')[:200]}",
                "key": scope.get("state", {}).get("key"),
                "client": client[0] if client else None,
                "status": noted.status,
            }
            log.info("audit", extra={"fields": fields})
