"""Checks the key of a request: its scopes and its limits.

The key is in `Authorization: Bearer KEY` (RFC 6750), in `api-key`, as clients of Azure send it, or in `X-API-Key`, as
many others do.
"""

from collections.abc import Collection, Set
from typing import Annotated

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from service.access.keyring import Keyring, Scope
from service.access.limits import RateLimits
from service.errors import Forbidden, Unauthorized


async def _key_name(request: Request) -> str | None:
    name: str | None = getattr(request.state, "key", None)
    return name


# The name of the request's key; None if no key was needed.
KeyName = Annotated[str | None, Depends(_key_name)]


async def _own_name(request: Request) -> str | None:
    scopes: Set[Scope] = getattr(request.state, "scopes", {"admin"})
    return None if "admin" in scopes else getattr(request.state, "key", None)


# The name in which alone the request may judge; None: it may judge for everybody.
OwnName = Annotated[str | None, Depends(_own_name)]


class Auth(SecurityBase):
    """A dependency that requires a key with `scope`, with one of `others`, or with admin, which opens all routes.

    FastAPI puts it into the OpenAPI document, too.
    """

    def __init__(self, keyring: Keyring, limits: RateLimits, scope: Scope, others: Collection[Scope] = ()) -> None:
        self.scheme_name = f"{scope}Key"
        self.model = HTTPBearer(
            description=f"A key with the scope {scope} or admin; none if the service has no keys. The headers `api-key`"
            " and `X-API-Key` are read, too."
        )
        self._keyring = keyring
        self._limits = limits
        self._scope: Scope = scope
        self._sufficient = {scope, *others, "admin"}

    # FastAPI runs a dependency that is not async on another thread, which takes longer than the check.
    async def __call__(self, request: Request) -> None:
        """Raise Unauthorized, Forbidden or LimitReached unless the request may be answered."""
        if self._keyring.is_open(self._scope):
            return
        token = _token(request)
        if token is None:
            raise key_missing(self._scope)
        key = self._keyring.find(token)
        if key is None:
            raise Unauthorized("this key is not known here (was it revoked?): send a key that `instar key list` names")
        # The audit log and KeyName read the name, OwnName the scopes.
        request.state.key = key.name
        request.state.scopes = key.scopes
        if not key.scopes & self._sufficient:
            raise scope_missing(key.name, self._scope, key.scopes)
        self._limits.charge_request(key)


def key_missing(scope: Scope) -> Unauthorized:
    """The request has no key, but needs one with `scope`."""
    return Unauthorized(
        f"send the header 'Authorization: Bearer KEY' with a key that has the scope {scope}: `instar key"
        " create` makes one"
    )


def scope_missing(key: str, scope: Scope, scopes: Set[Scope]) -> Forbidden:
    """The key of that name has `scopes`, and lacks the one that is needed."""
    return Forbidden(f"the key {key} may only {', '.join(sorted(scopes))}: this call needs one with the scope {scope}")


def _token(request: Request) -> str | None:
    """Return the key that a request brings, or None."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    for name in ("api-key", "x-api-key"):
        if token := request.headers.get(name, "").strip():
            return token
    return None
