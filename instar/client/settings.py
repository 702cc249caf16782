"""The address of the service and the key that opens it, by default from the environment; and the clients' habits."""

import os

import httpx

TIMEOUT_SECONDS = 60.0
# A machine that does not take a connection by then is not there. An answer may take longer.
_CONNECT_SECONDS = 10.0
# Requests that a busy service refuses are sent again so many times.
RETRIES = 5
POLL_SECONDS = 0.5
# Documents of a page.
PAGE = 500
_KEYS = ("INSTAR_KEY", "INSTAR_ADMIN_KEY", "INSTAR_API_KEY")


def url_of(url: str | None) -> str:
    """The address, or that of INSTAR_URL, or of a service on this machine, whose port may be in INSTAR_PORT."""
    url = url or os.environ.get("INSTAR_URL") or f"http://127.0.0.1:{os.environ.get('INSTAR_PORT', '8080')}"
    return url if "://" in url else f"http://{url}"


def headers_of(key: str | None) -> dict[str, str]:
    """The header with the key, or with that of INSTAR_KEY, or with one that a service on this machine was given."""
    key = key or next((os.environ[name] for name in _KEYS if os.environ.get(name)), None)
    return {"Authorization": f"Bearer {key}"} if key else {}


def timeout_of(seconds: float) -> httpx.Timeout:
    """The time for an answer in seconds, of which at most ten go by until the connection stands."""
    return httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS))
