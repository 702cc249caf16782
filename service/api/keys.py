"""Who may call: `Authorization: Bearer KEY`, one key for data and one for administration (RFC 6750)."""

import hmac
from collections.abc import Awaitable, Callable

from fastapi import Request
from pydantic import SecretStr

from service.errors import Unauthorized
from service.settings import Settings

Check = Callable[[Request], Awaitable[None]]


class Keys:
    """Checks of the two keys; each is a dependency of routes. A key that is not set opens its routes."""

    def __init__(self, settings: Settings) -> None:
        self._api = settings.api_key
        self._admin = settings.admin_key

    @property
    def data(self) -> Check:
        """For data routes: the data key, or the admin key, which may do everything."""
        return _check(self._api, [self._api, self._admin], "INSTAR_API_KEY")

    @property
    def admin(self) -> Check:
        """For `/admin`: the admin key alone."""
        return _check(self._admin, [self._admin], "INSTAR_ADMIN_KEY")


def _check(needed: SecretStr | None, accepted: list[SecretStr | None], setting: str) -> Check:
    keys = [key.get_secret_value().encode() for key in accepted if key is not None]

    # FastAPI runs a dependency that is not async on another thread, which takes longer than this does.
    async def check(request: Request) -> None:
        if needed is None:
            return
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        token = given.strip().encode() if scheme.lower() == "bearer" else b""
        # Every key is compared, in constant time, so that the time tells nothing.
        if not sum(hmac.compare_digest(token, key) for key in keys):
            raise Unauthorized(f"send the header 'Authorization: Bearer KEY' with the key that {setting} holds")

    return check
