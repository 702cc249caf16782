"""Keyed hashes in place of users and sessions, so that nobody who has the database alone learns who they are."""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

from service.errors import StorageFailed
from service.machine.secret_file import make_secret, read_secret

# 128 bits: two of a billion users share a hash with a chance of 1 in 10 ** 21.
_HASH_BYTES = 16
_DAMAGED = (
    "is not a key of hashes: restore it; if there is no copy, delete it and move learning.db away, because without the"
    " key its users cannot be forgotten, then restart the service"
)


class Pseudonyms:
    """Hashes users and sessions with a secret key, which lies in a file that the first use makes."""

    def __init__(self, path: Path, in_use: Callable[[], bool] = lambda: False) -> None:
        """`in_use` says whether there are hashes of users already: no new key makes those, so none is made then."""
        self._path = path
        self._in_use = in_use
        self._lock = threading.Lock()
        self._key: bytes | None = None

    def user(self, name: str) -> str:
        """Return the hash of a user. Raises StorageFailed if the key cannot be read or made."""
        return self._hash("user", name)

    def session(self, name: str) -> str:
        """Return the hash of a session, which differs from that of a user of the same name. Raises as `user`."""
        return self._hash("session", name)

    def load(self) -> bytes:
        """Return the key, which is read or made by the first call. Raises StorageFailed if that fails."""
        with self._lock:
            if self._key is None:
                self._key = read_secret(self._path, _DAMAGED) or self._made()
            return self._key

    def _made(self) -> bytes:
        if self._in_use():
            raise lost(self._path)
        return make_secret(self._path)

    def _hash(self, kind: str, name: str) -> str:
        # HMAC takes ten times as long in a search, because OpenSSL looks its hash up each time.
        return hashlib.blake2b(
            name.encode(), digest_size=_HASH_BYTES, key=self.load(), person=kind.encode()
        ).hexdigest()


def lost(path: Path) -> StorageFailed:
    """There is no key any more, and there are hashes that it made."""
    return StorageFailed(
        f"{path} is gone, and without it the users of former searches cannot be forgotten: restore it, or move"
        " learning.db away as well, then restart the service"
    )
