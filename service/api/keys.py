"""Who may call: the key of a request, checked against its scopes and limits.

`Authorization: Bearer KEY` (RFC 6750); `api-key` as clients of Azure and `X-API-Key` as many others send it do as well.
"""

from fastapi import Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from service.access.allowance import Allowances
from service.access.keyring import Keyring, Scope
from service.errors import Forbidden, Unauthorized


async def named(request: Request) -> str | None:
    """The name of the key of a request that was checked; None where no key was needed."""
    name: str | None = getattr(request.state, "key", None)
    return name


class Keys:
    """Checks of the key of a request; each is a dependency of routes."""

    def __init__(self, keyring: Keyring, allowances: Allowances) -> None:
        self._keyring = keyring
        self._allowances = allowances

    def needs(self, scope: Scope) -> "Check":
        """For routes that a key with that scope opens, or with the scope admin, which opens all."""
        return Check(self._keyring, self._allowances, scope)


class Check(SecurityBase):
    """One of the checks, which FastAPI also puts into the OpenAPI document, by its name there."""

    def __init__(self, keyring: Keyring, allowances: Allowances, scope: Scope) -> None:
        self.scheme_name = f"{scope}Key"
        self.model = HTTPBearer(
            description=f"A key with the scope {scope} or admin; where there are no keys, none. The headers `api-key`"
            " and `X-API-Key` are taken, too."
        )
        self._keyring = keyring
        self._allowances = allowances
        self._scope: Scope = scope

    # FastAPI runs a dependency that is not async on another thread, which takes longer than this does.
    async def __call__(self, request: Request) -> None:
        """Raise Unauthorized, Forbidden or LimitReached unless the request may be answered."""
        if self._keyring.is_open(self._scope):
            return
        token = _token(request)
        if token is None:
            raise Unauthorized(
                f"send the header 'Authorization: Bearer KEY' with a key that has the scope {self._scope}: `python -m"
                " service key create` makes one"
            )
        key = self._keyring.find(token)
        if key is None:
            raise Unauthorized(
                "this key is not known here (was it revoked?): `python -m service key list` shows the names of those"
                " that are"
            )
        # For the log.
        request.state.key = key.name
        if not key.scopes & {self._scope, "admin"}:
            raise Forbidden(
                f"the key {key.name} has not the scope {self._scope}, only {', '.join(sorted(key.scopes))}: use another"
            )
        self._allowances.begin(key)


def _token(request: Request) -> str | None:
    """The key that a request brings."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    for name in ("api-key", "x-api-key"):
        if token := request.headers.get(name, "").strip():
            return token
    return None
