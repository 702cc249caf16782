"""The address of the service and the key that opens it, by default from the environment; and the clients' habits."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

from instar.client.errors import WrongSetting

TIMEOUT_SECONDS = 60.0
# A machine that does not take a connection by then is not there. An answer may take longer.
_CONNECT_SECONDS = 10.0
# Requests that a busy service refuses are sent again so many times.
RETRIES = 5
POLL_SECONDS = 0.5
# A service whose restart takes longer is taken for lost by who follows a job of it.
PATIENCE_SECONDS = 300.0
# Documents of a page.
PAGE = 500
_KEYS = ("INSTAR_KEY", "INSTAR_ADMIN_KEY", "INSTAR_API_KEY")
_PORTS = range(1, 2**16)
_Client = TypeVar("_Client")


def made(kind: Callable[..., _Client], url: str | None, key: str | None, timeout: float, transport: Any) -> _Client:
    """A client of httpx of this kind. Raises WrongSetting if the address or the key cannot be one."""
    address, headers = url_of(url), headers_of(key)
    try:
        return kind(base_url=address, headers=headers, timeout=timeout_of(timeout), transport=transport)
    # It reads the environment, too.
    except (httpx.InvalidURL, ValueError, ImportError, OSError) as error:
        raise WrongSetting(
            f"no client can be made ({error}): look at HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and"
            " SSL_CERT_DIR of the environment"
        ) from error


def url_of(url: str | None) -> httpx.URL:
    """The address, or that of INSTAR_URL, or of a service on this machine, whose port may be in INSTAR_PORT.

    Raises WrongSetting if it is none.
    """
    url = url or os.environ.get("INSTAR_URL") or f"http://127.0.0.1:{os.environ.get('INSTAR_PORT', '8080')}"
    url = url if "://" in url else f"http://{url}"
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise _no_address(url, str(error)) from error
    if address.scheme not in ("http", "https"):
        raise _no_address(url, f"{address.scheme!r} is not spoken here")
    if not address.host or (address.port or _PORTS[0]) not in _PORTS:
        raise _no_address(url, f"a port is {_PORTS[0]} to {_PORTS[-1]}" if address.host else "it names no host")
    try:
        # As the system does when it looks for the host.
        address.raw_host.decode().encode("idna")
    except UnicodeError as error:
        raise _no_address(url, f"no host has this name: {error}") from error
    return address


def _no_address(url: str, reason: str) -> WrongSetting:
    return WrongSetting(
        f"{url[:200]!r} is no address of a service ({reason}): write http://HOST:PORT into --url, INSTAR_URL or the"
        " argument url, and a number into INSTAR_PORT"
    )


def headers_of(key: str | None) -> dict[str, str]:
    """The header with the key, or with that of INSTAR_KEY, or with one that a service on this machine was given.

    Raises WrongSetting if no header can have it.
    """
    key = key or next((os.environ[name] for name in _KEYS if os.environ.get(name)), None)
    if key and not (key.isascii() and key.isprintable() and key == key.strip()):
        # The key itself is a secret, and errors are logged.
        raise WrongSetting(
            "the key has a character that none has (a letter such as ü, a line break, or a space at an end): copy it"
            f" again (--key, {', '.join(_KEYS)})"
        )
    return {"Authorization": f"Bearer {key}"} if key else {}


def timeout_of(seconds: float) -> httpx.Timeout:
    """The time for an answer in seconds, of which at most ten go by until the connection stands."""
    return httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS))
