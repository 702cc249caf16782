"""Who may call: named keys with scopes and limits, in a file that holds their hashes only.

A key is 256 random bits. No dictionary has it, so one round of SHA-256 hides it as well as a slow hash would, and costs
a request microseconds (NIST SP 800-63B, 3.1.2: look-up secrets of 112 bits and more need no salt and no slow hash).
"""

import hmac
import json
import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from service.errors import InstarError
from service.machine.files import replace_file

log = logging.getLogger(__name__)

Scope = Literal["embed", "search", "write", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
_PREFIX = "instar_"
_NAME = r"^[A-Za-z0-9._-]{1,64}$"
# Seconds after which a key that was revoked is refused at the latest.
_LOOK_EVERY = 1.0


class KeyFileError(InstarError):
    """The file of the keys cannot be read or changed."""


class Limits(BaseModel):
    """The most that one key may ask; None is as much as it likes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_per_minute: int | None = Field(None, ge=1)
    requests_per_day: int | None = Field(None, ge=1)
    tokens_per_minute: int | None = Field(None, ge=1)
    tokens_per_day: int | None = Field(None, ge=1)


class Key(BaseModel):
    """A key as it is kept: what it may do, and how to recognise it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=_NAME)
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    scopes: frozenset[Scope]
    limits: Limits = Limits()
    created: datetime
    revoked: datetime | None = None


_KEYS = TypeAdapter(list[Key])


class Keyring:
    """The keys of a file, as it is now, and those that the settings give. Safe from any thread."""

    def __init__(self, path: Path, given: Mapping[str, tuple[str, frozenset[Scope]]], *, closed: bool = False) -> None:
        """`given` are keys by name, with their scopes. Raises KeyFileError if there is a file that cannot be read.

        Without a file, a scope that no given key has is open to everybody, unless the keyring is `closed`.
        """
        self._closed = closed
        self._path = path
        self._given = [
            Key(name=name, digest=_digest(token), scopes=scopes, created=datetime.now(UTC))
            for name, (token, scopes) in given.items()
        ]
        self._seen = _state(path)
        self._keys = [*self._given, *read(path)]
        self._looked = time.monotonic()

    def is_open(self, scope: Scope) -> bool:
        """Whether everybody has the scope."""
        return not self._closed and self._seen is None and not any(scope in key.scopes for key in self._given)

    def find(self, token: str) -> Key | None:
        """The key that `token` is, unless there is none or it was revoked."""
        if time.monotonic() - self._looked >= _LOOK_EVERY and _state(self._path) != self._seen:
            self.reload()
        digest = _digest(token).encode()
        # All are compared, in constant time, so that the time tells nothing.
        found = [key for key in self._keys if hmac.compare_digest(key.digest.encode(), digest)]
        return next((key for key in found if key.revoked is None), None)

    def reload(self) -> None:
        """Read the file again; one that cannot be read leaves the keys as they were."""
        self._looked = time.monotonic()
        state = _state(self._path)
        if state is None and self._seen is not None:
            log.error("%s is gone: its keys stay as they were until it is back", self._path)
            return
        self._seen = state
        try:
            keys = [*self._given, *read(self._path)]
        except KeyFileError as error:
            log.error("the keys stay as they were: %s", error.message)
            return
        before, after = ({key.name for key in some if key.revoked is None} for some in (self._keys, keys))
        self._keys = keys
        if before != after:
            fields = {"action": "keys changed", "added": sorted(after - before), "revoked": sorted(before - after)}
            log.info("audit", extra={"fields": fields})


def create(path: Path, name: str, scopes: Sequence[Scope], limits: Limits) -> str:
    """Add a key to the file, which is made; returns the key, which nobody can tell afterwards.

    Raises KeyFileError if a key that was not revoked has that name.
    """
    keys = read(path)
    if any(key.name == name and key.revoked is None for key in keys):
        raise KeyFileError(f"there is a key {name!r}: revoke it first, or choose another name")
    token = _PREFIX + secrets.token_urlsafe(32)
    try:
        made = Key(name=name, digest=_digest(token), scopes=frozenset(scopes), limits=limits, created=datetime.now(UTC))
    except ValidationError as error:
        raise KeyFileError("a name has 1 to 64 letters, digits, '.', '_' or '-': choose such a one") from error
    _write(path, [*keys, made])
    return token


def revoke(path: Path, name: str) -> None:
    """Make the key useless at once; it stays listed. Raises KeyFileError if there is none of that name."""
    keys = read(path)
    if not any(key.name == name and key.revoked is None for key in keys):
        known = ", ".join(key.name for key in keys if key.revoked is None) or "none"
        raise KeyFileError(f"there is no key {name!r} that could be revoked: there are {known}")
    now = datetime.now(UTC)
    _write(
        path,
        [key.model_copy(update={"revoked": now}) if key.name == name and key.revoked is None else key for key in keys],
    )


def read(path: Path) -> list[Key]:
    """The keys in the file, in the order of their making; none without a file. Raises KeyFileError."""
    try:
        return _KEYS.validate_json(path.read_bytes())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise KeyFileError(f"{path} cannot be read ({error.strerror}): let this user read it") from error
    except ValidationError as error:
        raise KeyFileError(f"{path} is not a file of keys: restore it from a backup, or make its keys anew") from error


def _write(path: Path, keys: list[Key]) -> None:
    """Replace the file in one step, readable by its owner alone."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps(_KEYS.dump_python(keys, mode="json"), indent=1), mode=0o600)
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written ({error.strerror}): let this user write there") from error


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def _state(path: Path) -> tuple[int, int, int] | None:
    """What changes when the file does; None without one."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
