"""Sessions of the console: an API key in a cookie that no script can read, and a token against forged forms.

The cookie holds the key encrypted and signed (Fernet), so that nothing is kept on the server and every replica with the
same secret knows it. A revoked key ends the session, because every page asks the API with it. `SameSite=Strict` keeps
other sites from sending the cookie; the token, which is derived from the cookie, keeps them from sending forms as well.
"""

import base64
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from starlette.requests import Request
from starlette.responses import Response

from service.access.keyring import SCOPES, Keyring, Scope
from service.machine.secret_file import make_secret, read_secret

COOKIE = "instar_console"
# Seconds after which a person signs in again.
_LIFETIME = 12 * 3600
_DAMAGED = "is not the secret of the console: delete it, then everybody signs in again"


@dataclass(frozen=True, slots=True)
class Session:
    """A person at the console: the key, its name and scopes, and the token that each form must send.

    Without keys the service trusts its machine: `key` and `name` are None.
    """

    key: str | None
    name: str | None
    scopes: frozenset[Scope]
    form_token: str

    def may(self, scope: Scope) -> bool:
        """Say whether the person may do what needs this scope. The API decides again at each call."""
        return scope in self.scopes


class Sessions:
    """Signs people in and out, and recognises them."""

    def __init__(self, secret: Path, keyring: Keyring, clock: Callable[[], float] = time.time) -> None:
        """The file `secret` is made at the first use, so that a restart signs nobody out.

        Every method raises StorageFailed if the file cannot be used.
        """
        self._path = secret
        self._keyring = keyring
        self._clock = clock

    @property
    def is_open(self) -> bool:
        """Whether the console needs no key."""
        return self._keyring.is_open("admin")

    def of(self, request: Request) -> Session | None:
        """Return the session of a request; None if the person has to sign in."""
        cookie = request.cookies.get(COOKIE, "")
        token = self._key_in(cookie)
        key = self._keyring.find(token) if token is not None else None
        if key is not None:
            scopes = frozenset(SCOPES) if "admin" in key.scopes else key.scopes | self._open_scopes()
            return Session(token, key.name, scopes, self._form_token(cookie))
        if self.is_open:
            return Session(None, None, frozenset(SCOPES), self._form_token(""))
        return None

    def sign_in(self, response: Response, key: str, *, secure: bool, path: str) -> bool:
        """Put the key into the cookie of `response`; false if there is no such key. `secure`: over HTTPS alone."""
        if self._keyring.find(key) is None:
            return False
        content = json.dumps({"key": key, "until": self._clock() + _LIFETIME}).encode()
        response.set_cookie(
            COOKIE,
            self._fernet.encrypt(content).decode(),
            max_age=_LIFETIME,
            path=path,
            secure=secure,
            httponly=True,
            samesite="strict",
        )
        return True

    def sign_out(self, response: Response, *, path: str) -> None:
        """Delete the cookie."""
        response.delete_cookie(COOKIE, path=path, httponly=True, samesite="strict")

    def is_own_form(self, session: Session, sent: str) -> bool:
        """Say whether a form with this token came from a page of the session."""
        return hmac.compare_digest(session.form_token.encode(), sent.encode())

    @cached_property
    def _secret(self) -> bytes:
        return read_secret(self._path, _DAMAGED) or make_secret(self._path)

    @cached_property
    def _fernet(self) -> Fernet:
        return Fernet(base64.urlsafe_b64encode(self._secret))

    def _open_scopes(self) -> frozenset[Scope]:
        return frozenset(scope for scope in SCOPES if self._keyring.is_open(scope))

    def _form_token(self, cookie: str) -> str:
        return hmac.new(self._secret, b"form:" + cookie.encode(), sha256).hexdigest()

    def _key_in(self, cookie: str) -> str | None:
        try:
            content: Any = json.loads(self._fernet.decrypt(cookie.encode()))
        except (InvalidToken, ValueError):
            return None
        return str(content["key"]) if content["until"] > self._clock() else None
