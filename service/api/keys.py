"""Who may call: `Authorization: Bearer KEY`, one key for data and one for administration (RFC 6750)."""

import hmac

from fastapi import Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from pydantic import SecretStr

from service.errors import Unauthorized
from service.settings import Settings


class Keys:
    """Checks of the two keys; each is a dependency of routes. A key that is not set opens its routes."""

    def __init__(self, settings: Settings) -> None:
        self._api = settings.api_key
        self._admin = settings.admin_key

    @property
    def data(self) -> "Check":
        """For data routes: the data key, or the admin key, which may do everything."""
        return Check("dataKey", self._api, [self._api, self._admin], "INSTAR_API_KEY")

    @property
    def admin(self) -> "Check":
        """For `/admin`: the admin key alone."""
        return Check("adminKey", self._admin, [self._admin], "INSTAR_ADMIN_KEY")


class Check(SecurityBase):
    """One of the checks, which FastAPI also puts into the OpenAPI document, by its name there."""

    def __init__(self, name: str, needed: SecretStr | None, accepted: list[SecretStr | None], setting: str) -> None:
        self.scheme_name = name
        self.model = HTTPBearer(description=f"The key in {setting}, or in INSTAR_ADMIN_KEY; if it is not set, none.")
        self._needed = needed is not None
        self._keys = [key.get_secret_value().encode() for key in accepted if key is not None]
        self._setting = setting

    # FastAPI runs a dependency that is not async on another thread, which takes longer than this does.
    async def __call__(self, request: Request) -> None:
        if not self._needed:
            return
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        token = given.strip().encode() if scheme.lower() == "bearer" else b""
        # Every key is compared, in constant time, so that the time tells nothing.
        if not sum(hmac.compare_digest(token, key) for key in self._keys):
            raise Unauthorized(f"send the header 'Authorization: Bearer KEY' with the key that {self._setting} holds")
