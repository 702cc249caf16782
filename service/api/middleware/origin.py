"""Whose pages may call by a browser where nobody needs a key: those of this machine.

A service without keys trusts whoever is on its machine, and a browser there runs the scripts of everybody. Without CORS
they read nothing, but a POST without a body needs no leave (Fetch, "CORS-safelisted request"), and a name that first
leads to its page and then to 127.0.0.1 makes both one origin (DNS rebinding). `Origin` and `Host` tell.
"""

import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.access.keyring import Keyring
from service.api import failures
from service.errors import Forbidden


class OwnPages:
    """ASGI middleware that refuses others' pages as long as administration needs no key."""

    def __init__(self, app: ASGIApp, keyring: Keyring) -> None:
        self._app = app
        self._keyring = keyring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._keyring.is_open("admin"):
            headers = Headers(scope=scope)
            for name, address in (("Origin", headers.get("origin")), ("Host", headers.get("host"))):
                if address is not None and not _is_here(address):
                    error = Forbidden(
                        f"the {name} of this request is {address[:80]!r}, which is not this machine, and there are no"
                        " keys: make one with `python -m service key create`, or ask 127.0.0.1 itself"
                    )
                    await failures.answer(Request(scope), error)(scope, receive, send)
                    return
        await self._app(scope, receive, send)


@lru_cache(maxsize=64)
def _is_here(address: str) -> bool:
    """Whether an origin, or a host with or without a port, is this machine."""
    try:
        host = urlsplit(address if "://" in address else f"//{address}").hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
