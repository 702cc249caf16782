"""`/admin/keys`: list the keys of callers, make one, revoke one."""

import asyncio
from functools import partial

from fastapi import Request, Response

from service.access.key_changes import KeyChanges
from service.access.keyring import SCOPES, Key, Keyring
from service.api.middleware.audit import note
from service.api.openapi import keys as documented
from service.api.router import Admission, Router
from service.api.schemas.keys import KeyRequest, KeysAnswer, KeyToRevoke, ListedKey, MadeKey


def routes(admission: Admission, keyring: Keyring) -> Router:
    """The routes of keys."""
    router = Router(admission, "admin", "admin")
    handlers = _Keys(keyring)
    router.add("GET /admin/keys", handlers.list_keys, documented.LIST)
    router.add("POST /admin/keys", handlers.make_key, documented.MAKE)
    router.add("DELETE /admin/keys/{name}", handlers.revoke_key, documented.REVOKE)
    return router


class _Keys:
    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._changes = KeyChanges(keyring)

    async def list_keys(self) -> KeysAnswer:
        """List the keys, those that were revoked as well. None of them can be read again."""
        return {
            "keys": [self._listed(key) for key in self._keyring.keys],
            "open": [scope for scope in SCOPES if self._keyring.is_open(scope)],
        }

    async def make_key(self, body: KeyRequest, request: Request, response: Response) -> MadeKey:
        """Make a key. Its token is in this answer and nowhere else.

        The first key closes the service to callers without one, so it needs `"close_service": true` and the scope
        admin. The audit log says who made which key.
        """
        note(request, made=body.name, scopes=",".join(body.scopes))
        make = partial(self._changes.make, close_service=body.close_service)
        key, token = await asyncio.to_thread(make, body.name, body.scopes, body.limits)
        response.headers["Cache-Control"] = "no-store"
        return {"token": token, "key": self._listed(key)}

    async def revoke_key(self, name: KeyToRevoke) -> ListedKey:
        """Revoke a key. It opens nothing from now on, and stays listed."""
        return self._listed(await asyncio.to_thread(self._changes.revoke, name))

    def _listed(self, key: Key) -> ListedKey:
        is_of_settings = self._keyring.is_of_settings(key)
        return {
            "name": key.name,
            "scopes": [scope for scope in SCOPES if scope in key.scopes],
            "limits": key.limits,
            "source": "settings" if is_of_settings else "file",
            "created": None if is_of_settings else key.created,
            "last_used": self._keyring.last_used(key),
            "revoked": key.revoked,
        }
