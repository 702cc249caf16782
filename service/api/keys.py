"""Who may call: `Authorization: Bearer KEY` (RFC 6750), checked against the scopes and limits of the key."""

from fastapi import Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from service.allowance import Allowances
from service.errors import Forbidden, Unauthorized
from service.keyring import Keyring, Scope


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
        self.model = HTTPBearer(description=f"A key with the scope {scope} or admin; where there are no keys, none.")
        self._keyring = keyring
        self._allowances = allowances
        self._scope: Scope = scope

    # FastAPI runs a dependency that is not async on another thread, which takes longer than this does.
    async def __call__(self, request: Request) -> None:
        """Raise Unauthorized, Forbidden or LimitReached unless the request may be answered."""
        if self._keyring.is_open(self._scope):
            return
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        key = self._keyring.find(given.strip()) if scheme.lower() == "bearer" else None
        if key is None:
            raise Unauthorized(
                f"send the header 'Authorization: Bearer KEY' with a key that has the scope {self._scope}: `python -m"
                " service key create` makes one"
            )
        # For the log.
        request.state.key = key.name
        if not key.scopes & {self._scope, "admin"}:
            raise Forbidden(
                f"the key {key.name} has not the scope {self._scope}, only {', '.join(sorted(key.scopes))}: use another"
            )
        self._allowances.begin(key)
