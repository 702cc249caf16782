"""A session is a key in a sealed cookie: it ends by time, by sign-out and by revocation, and outlives a restart."""

from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from service.access import keyring
from service.access.keyring import Keyring, Limits, Scope
from service.console.session import COOKIE, Sessions
from service.errors import StorageFailed


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def request(cookie: str | None) -> Request:
    headers = [] if cookie is None else [(b"cookie", f"{COOKIE}={cookie}".encode())]
    return Request({"type": "http", "headers": headers})


def sessions(keys: Path, clock: Clock | None = None) -> Sessions:
    return Sessions(keys.with_name("console.key"), Keyring(keys, {}), clock or Clock())


def signed_in(at: Sessions, token: str, *, secure: bool = False) -> str:
    response = Response()
    assert at.sign_in(response, token, secure=secure, path="/console")
    return response.headers["Set-Cookie"]


def value(header: str) -> str:
    return SimpleCookie(header)[COOKIE].value


def test_the_cookie_is_for_the_console_of_this_site_alone_and_no_script(keys: Path) -> None:
    token = keyring.create(keys, "ann", ["search"], Limits())
    flags = {flag.strip() for flag in signed_in(sessions(keys), token).split(";")[1:]}
    assert flags == {"HttpOnly", "Max-Age=43200", "Path=/console", "SameSite=strict"}
    assert "Secure" in signed_in(sessions(keys), token, secure=True)
    assert token not in signed_in(sessions(keys), token)


def test_a_restart_signs_nobody_out(keys: Path) -> None:
    token = keyring.create(keys, "ann", ["search"], Limits())
    cookie = value(signed_in(sessions(keys), token))
    session = sessions(keys).of(request(cookie))
    assert session is not None
    assert session.name == "ann"
    assert session.scopes == {"search"}
    assert session.may("search")
    assert not session.may("admin")
    assert keys.with_name("console.key").stat().st_mode & 0o777 == 0o600


def test_a_session_ends_after_twelve_hours(keys: Path) -> None:
    clock = Clock()
    token = keyring.create(keys, "ann", ["search"], Limits())
    at = sessions(keys, clock)
    cookie = value(signed_in(at, token))
    clock.now += 12 * 3600 - 1
    assert at.of(request(cookie)) is not None
    clock.now += 2
    assert at.of(request(cookie)) is None


def test_a_revoked_key_ends_the_session(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "_LOOK_EVERY", 0)
    token = keyring.create(keys, "ann", ["search"], Limits())
    at = sessions(keys)
    cookie = value(signed_in(at, token))
    assert at.of(request(cookie)) is not None
    keyring.revoke(keys, "ann")
    assert at.of(request(cookie)) is None
    assert not at.sign_in(Response(), token, secure=False, path="/console")


def test_a_cookie_that_was_not_made_here_is_nothing(keys: Path, tmp_path: Path) -> None:
    token = keyring.create(keys, "ann", ["search"], Limits())
    at = sessions(keys)
    cookie = value(signed_in(at, token))
    elsewhere = Sessions(tmp_path / "other.key", Keyring(keys, {}))
    for forged in (None, "", token, cookie[:-2], "A" + cookie[1:], value(signed_in(elsewhere, token)), "ü"):
        assert at.of(request(forged)) is None


def test_form_tokens_belong_to_one_session(keys: Path) -> None:
    tokens = [keyring.create(keys, name, ["search"], Limits()) for name in ("ann", "bob")]
    at = sessions(keys)
    ann, bob = (at.of(request(value(signed_in(at, token)))) for token in tokens)
    assert ann is not None
    assert bob is not None
    assert at.is_own_form(ann, ann.form_token)
    for forged in ("", bob.form_token, ann.form_token[:-1], "ü"):
        assert not at.is_own_form(ann, forged)


def test_without_keys_everybody_here_may_do_everything_until_there_is_a_key(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "_LOOK_EVERY", 0)
    at = sessions(keys)
    session = at.of(request(None))
    assert session is not None
    assert (session.name, session.may("admin")) == (None, True)
    token = keyring.create(keys, "ann", ["admin"], Limits())
    signed_in(at, token)
    assert at.of(request(None)) is None


def test_a_few_scopes_and_what_is_open_are_what_a_person_may(keys: Path) -> None:
    data: frozenset[Scope] = frozenset(("search",))
    at = Sessions(keys.with_name("console.key"), Keyring(keys, {"INSTAR_API_KEY": ("word", data)}))
    session = at.of(request(value(signed_in(at, "word"))))
    assert session is not None
    assert session.may("search")
    # Without an admin key, administration is open to this machine.
    assert session.may("admin")


@pytest.mark.parametrize("content", ["", "no hex", "ab" * 31])
def test_a_damaged_secret_is_said_and_left_alone(keys: Path, content: str) -> None:
    path = keys.with_name("console.key")
    path.write_text(content)
    with pytest.raises(StorageFailed, match="delete it, then everybody signs in again"):
        sessions(keys).of(request(None))
    assert path.read_text() == content
