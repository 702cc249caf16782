"""Named keys with scopes and limits, in a file that holds only their hashes.

A key is 256 random bits. No dictionary has it, so one round of SHA-256 hides it as well as a slow hash would, and costs
a request microseconds (NIST SP 800-63B, 3.1.2: look-up secrets of 112 bits and more need no salt and no slow hash).
"""

import hmac
import json
import logging
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from service.errors import InstarError
from service.machine.owned_file import LockClosed, OwnerLost, one_at_a_time, replace_owned

log = logging.getLogger(__name__)

Scope = Literal["embed", "search", "write", "feedback", "judge", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
_PREFIX = "instar_"
_NAME = r"^[A-Za-z0-9._-]{1,64}$"
# Seconds between two looks at the file: a revoked key is refused after at most that long.
_LOOK_EVERY = 1.0


class KeyFileError(InstarError):
    """The key file cannot be read or changed."""

    status = 503
    type = "storage_failed"
    retry_after: int | None = 60


class KeyRefused(KeyFileError):
    """A valid key has the name, or nobody could make keys any more."""

    status = 409
    type = "conflict"
    retry_after = None


class KeyNameWrong(KeyFileError):
    """The name breaks the rules."""

    status = 422
    type = "invalid_request"
    retry_after = None


class KeyUnknown(KeyFileError):
    """No valid key has the name."""

    status = 404
    type = "not_found"
    retry_after = None


class Limits(BaseModel):
    """The limits of one key; None is no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_per_minute: int | None = Field(
        None, ge=1, strict=True, description="most requests in a minute; null: no limit"
    )
    requests_per_day: int | None = Field(None, ge=1, strict=True, description="most requests in a day; null: no limit")
    tokens_per_minute: int | None = Field(
        None, ge=1, strict=True, description="most tokens in a minute; null: no limit"
    )
    tokens_per_day: int | None = Field(None, ge=1, strict=True, description="most tokens in a day; null: no limit")


class Key(BaseModel):
    """A key as the file holds it: its permissions, and the SHA-256 that it is recognised by."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=_NAME)
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    scopes: frozenset[Scope]
    limits: Limits = Limits()
    created: datetime
    revoked: datetime | None = None


_KEYS = TypeAdapter(list[Key])


class Keyring:
    """The keys of the settings and of a file, which is read again when it changes. Safe from any thread."""

    def __init__(
        self, path: Path, from_settings: Mapping[str, tuple[str, frozenset[Scope]]], *, closed: bool = False
    ) -> None:
        """`from_settings` maps a name to a key and its scopes. Raises KeyFileError if `path` is there but unreadable.

        Without a file, everybody has each scope that no key of the settings has, unless the keyring is `closed`. The
        scope feedback is everybody's only as long as there is no key at all.
        """
        self._closed = closed
        self.path = path
        self._from_settings = [
            Key(name=name, digest=_digest(token), scopes=scopes, created=datetime.now(UTC))
            for name, (token, scopes) in from_settings.items()
        ]
        self._version = _version(path)
        self._keys = [*self._from_settings, *read(path)]
        self._looked_at = time.monotonic()
        self._used: dict[str, float] = {}

    def is_open(self, scope: Scope) -> bool:
        """Whether everybody has the scope."""
        # The first key may have been made since, and nobody brings a key to an open service.
        self._look()
        if self._closed or self._version is not None:
            return False
        if scope == "judge":
            # Judgements decide which model answers, so they are whose administration is.
            return self.is_open("admin")
        if scope == "feedback":
            # It teaches the model, so it is given by name: any key at all takes it away from everybody else.
            return not self._from_settings
        return not any(scope in key.scopes for key in self._from_settings)

    def find(self, token: str) -> Key | None:
        """The key with that token; None if there is none, or if it was revoked."""
        self._look()
        digest = _digest(token).encode()
        # Every key is compared, each in constant time, so that the time gives nothing away.
        matches = [key for key in self._keys if hmac.compare_digest(key.digest.encode(), digest)]
        match = next((key for key in matches if key.revoked is None), None)
        if match is not None:
            self._used[match.digest] = time.time()
        return match

    @property
    def keys(self) -> Sequence[Key]:
        """All keys in force and revoked, those of the settings first."""
        return self._keys

    @property
    def is_gone(self) -> bool:
        """Whether the file was there and is no more."""
        return self._version is not None and _version(self.path) is None

    def is_of_settings(self, key: Key) -> bool:
        """Say whether a key is one of the settings, which no request can change."""
        return key in self._from_settings

    def last_used(self, key: Key) -> datetime | None:
        """Return when the key was used last; None: not since the start."""
        used = self._used.get(key.digest)
        return None if used is None else datetime.fromtimestamp(used, UTC)

    def reload(self) -> None:
        """Read the file again. The keys stay as they are if it is gone or cannot be read."""
        self._looked_at = time.monotonic()
        version = _version(self.path)
        if version is None and self._version is not None:
            log.error("%s is gone: restore it; until then its keys stay in force", self.path)
            return
        try:
            keys = [*self._from_settings, *read(self.path)]
        except KeyFileError as error:
            # A version that no file has: the right to read it, once given, changes no other, and so each look reads it.
            self._version = (0, 0, 0)
            log.error("the keys in force stay as they are: %s", error.message)
            return
        before, after = _valid_names(self._keys), _valid_names(keys)
        self._keys, self._version = keys, version
        if before != after:
            fields = {"action": "keys changed", "added": sorted(after - before), "revoked": sorted(before - after)}
            log.info("audit", extra={"fields": fields})

    def _look(self) -> None:
        """Read the file again if it has changed since the last look."""
        if time.monotonic() - self._looked_at < _LOOK_EVERY:
            return
        self._looked_at = time.monotonic()
        if _version(self.path) != self._version:
            self.reload()


def create(path: Path, name: str, scopes: Sequence[Scope], limits: Limits) -> str:
    """Add a key to the file, creating the file if need be, and return the token, which is stored nowhere.

    Raises KeyFileError if the name breaks the rules or a valid key has it, or if the file cannot be read or written.
    """
    token = _PREFIX + secrets.token_urlsafe(32)
    try:
        key = Key(name=name, digest=_digest(token), scopes=frozenset(scopes), limits=limits, created=datetime.now(UTC))
    except ValidationError as error:
        raise wrong_name() from error
    with _changing(path):
        keys = read(path)
        if any(key.name == name and key.revoked is None for key in keys):
            raise name_taken(name)
        _write(path, [*keys, key])
    return token


def name_taken(name: str) -> KeyRefused:
    """A valid key has the name."""
    return KeyRefused(f"there is a key {name!r}: revoke it first, or choose another name", "name")


def wrong_name() -> KeyNameWrong:
    """The name of a new key breaks the rules."""
    return KeyNameWrong("a name has 1 to 64 letters, digits, '.', '_' or '-': choose another one", "name")


def unknown_name(name: str, valid: Sequence[str]) -> KeyUnknown:
    """No valid key has the name."""
    return KeyUnknown(
        f"there is no key {name!r} to revoke: choose one of the valid keys ({', '.join(valid) or 'none'})"
    )


def revoke(path: Path, name: str) -> None:
    """Revoke the key of that name, which stays listed. Raises KeyFileError if no valid key has it."""
    if not read(path):
        # Without a file there may be no folder, and none is made for this.
        raise unknown_name(name, [])
    now = datetime.now(UTC)
    with _changing(path):
        keys = read(path)
        if not any(key.name == name and key.revoked is None for key in keys):
            raise unknown_name(name, [key.name for key in keys if key.revoked is None])
        revoked = {"revoked": now}
        _write(
            path, [key.model_copy(update=revoked) if key.name == name and key.revoked is None else key for key in keys]
        )


def read(path: Path) -> list[Key]:
    """The keys in the file, oldest first; none without a file. Raises KeyFileError if the file cannot be read."""
    try:
        return _KEYS.validate_json(path.read_bytes())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise KeyFileError(f"{path} cannot be read ({error.strerror}): let this user read it") from error
    except ValidationError as error:
        raise KeyFileError(
            f"{path} is not a file of keys: restore it from a backup, or delete it and create the keys again"
        ) from error


@contextmanager
def _changing(path: Path) -> Iterator[None]:
    """Keep other processes from the file, so that none brings back what another revokes. Raises KeyFileError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(path):
            yield
    except OwnerLost as error:
        raise KeyFileError(
            f"{path} belongs to another user or group, who could not read it any more once it is changed here: run"
            " `instar key` as the user of the service, or as root"
        ) from error
    except LockClosed as error:
        raise KeyFileError(
            f"{error.filename} cannot be opened ({error.strerror}): give it to the owner of {path}, or delete it while"
            " nobody changes keys"
        ) from error
    except OSError as error:
        raise KeyFileError(
            f"{path} cannot be written ({error.strerror}): let this user write there, or run `instar key` as the user"
            " of the service"
        ) from error


def _write(path: Path, keys: list[Key]) -> None:
    """Replace the file in one step, within `_changing`."""
    replace_owned(path, json.dumps(_KEYS.dump_python(keys, mode="json"), indent=1))


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def _valid_names(keys: Sequence[Key]) -> set[str]:
    return {key.name for key in keys if key.revoked is None}


def _version(path: Path) -> tuple[int, int, int] | None:
    """Modification time, size and inode, one of which differs once the file is changed; None without a file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
