"""Keys that are made and revoked while the service runs, so that nobody closes it without wanting to, or locks it.

The first key of the file closes everything that was open to callers without one. The caller has to want that, and the
key has to open administration, if no other key does.
"""

import threading
from collections.abc import Sequence

from service.access import keyring
from service.access.keyring import SCOPES, Key, KeyFileError, KeyRefused, Keyring, Limits, Scope


class KeyChanges:
    """Makes and revokes the keys of a keyring. Safe from any thread."""

    def __init__(self, keys: Keyring) -> None:
        self._keyring = keys
        self._lock = threading.Lock()

    def make(self, name: str, scopes: Sequence[Scope], limits: Limits, *, close_service: bool) -> tuple[Key, str]:
        """Make a key; returns it, and its token, which is stored nowhere.

        Raises KeyRefused if a valid key has the name, if the key takes scopes from everybody and `close_service` is
        false, or if nobody could make another one. Raises KeyNameWrong, and KeyFileError if the file cannot be changed.
        """
        with self._lock:
            self._require_file()
            self._keyring.reload()
            if any(key.name == name and key.revoked is None for key in self._keyring.keys):
                raise keyring.name_taken(name)
            if "admin" not in scopes and not self._others_with_admin(name):
                raise no_admin(name)
            opened = [scope for scope in SCOPES if self._keyring.is_open(scope)]
            if opened and not close_service:
                raise would_close(opened)
            token = keyring.create(self._keyring.path, name, scopes, limits)
            self._keyring.reload()
            return self._valid(name), token

    def revoke(self, name: str) -> Key:
        """Revoke a key at once; returns it. Raises KeyUnknown, KeyRefused for a key of the settings and for the last
        one that opens administration, and KeyFileError if the file cannot be changed.
        """
        with self._lock:
            self._require_file()
            self._keyring.reload()
            match = next((key for key in self._keyring.keys if key.name == name and key.revoked is None), None)
            if match is not None and self._keyring.is_of_settings(match):
                raise of_settings(name)
            if match is not None and "admin" in match.scopes and not self._others_with_admin(name):
                raise last_admin(name)
            keyring.revoke(self._keyring.path, name)
            self._keyring.reload()
            return [key for key in self._keyring.keys if key.name == name and not self._keyring.is_of_settings(key)][-1]

    def _require_file(self) -> None:
        if self._keyring.is_gone:
            raise KeyFileError(f"{self._keyring.path} is gone: restore it, because a new one would not have its keys")

    def _others_with_admin(self, name: str) -> list[Key]:
        return [key for key in self._keyring.keys if key.name != name and key.revoked is None and "admin" in key.scopes]

    def _valid(self, name: str) -> Key:
        return next(key for key in self._keyring.keys if key.name == name and key.revoked is None)


def would_close(opened: Sequence[Scope]) -> KeyRefused:
    """The key would take `opened` scopes from everybody, and the request does not say that this is wanted."""
    return KeyRefused(
        "this key closes the service: from then on nothing is open to callers without one, while now everybody here has"
        f" the scopes {', '.join(opened)}: send close_service true if that is wanted",
        "close_service",
    )


def no_admin(name: str) -> KeyRefused:
    """With this key, there would be keys and none that opens administration."""
    return KeyRefused(
        f"no key has the scope admin, so with {name!r} alone nobody could make another: make one with admin first",
        "scopes",
    )


def last_admin(name: str) -> KeyRefused:
    """The key is the last one that opens administration."""
    return KeyRefused(
        f"{name!r} is the last key with the scope admin, and nobody could make another: make one first, or use"
        " `instar key revoke`"
    )


def of_settings(name: str) -> KeyRefused:
    """The key is in the settings."""
    return KeyRefused(f"{name} is a setting: remove the variable and restart the service")
