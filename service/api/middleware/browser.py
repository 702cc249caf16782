"""Limits for browsers: no other site reads an answer, and without keys no other machine's page may send a request.

A browser lets no script of another site read an answer without CORS headers. But a service without keys trusts
everybody on its machine, and a browser there runs scripts of any site. A POST without a body needs no permission
(Fetch, "CORS-safelisted request"). A name that leads first to a page and then to 127.0.0.1 makes both one origin (DNS
rebinding). `Origin` and `Host` give such requests away.
"""

import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access.keyring import Keyring
from service.api import failures
from service.api.responses import protected
from service.errors import Forbidden


class SecurityHeaders:
    """ASGI middleware that adds security headers to every answer that does not set them itself.

    Answers to unexpected errors are made outside it, and get the headers there (`service.api.failures`).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = protected(message["headers"])
            await send(message)

        await self._app(scope, receive, send_protected if scope["type"] == "http" else send)


class LocalOriginOnly:
    """ASGI middleware that refuses requests of other machines' pages while administration needs no key."""

    def __init__(self, app: ASGIApp, keyring: Keyring) -> None:
        self._app = app
        self._keyring = keyring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._keyring.is_open("admin"):
            headers = Headers(scope=scope)
            for name, address in (("Origin", headers.get("origin")), ("Host", headers.get("host"))):
                if address is not None and not _is_here(address):
                    error = Forbidden(
                        f"the {name} of this request is {address[:80]!r}, which is not this machine, and the service"
                        " has no keys: make one with `instar key create`, or send the request to 127.0.0.1"
                    )
                    await failures.error_answer(Request(scope), error)(scope, receive, send)
                    return
        await self._app(scope, receive, send)


@lru_cache(maxsize=64)
def _is_here(address: str) -> bool:
    """Say whether an origin, or a host with or without a port, is this machine."""
    try:
        host = urlsplit(address if "://" in address else f"//{address}").hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
