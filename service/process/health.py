"""Whether the service of this machine lives, asked where the environment says that it listens. Containers run this.

python -m service.process.health
"""

import http.client
import os
import ssl
import sys
from collections.abc import Mapping

_SECONDS = 4
# A service that listens on all addresses is asked on one.
_ALL = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
# The last two are the former name, and all of the group as JSON.
_CERTIFICATES = ("INSTAR_TLS__CERTIFICATE", "INSTAR_TLS_CERTIFICATE", "INSTAR_TLS")


def problem(environment: Mapping[str, str]) -> str | None:
    """The reason why the service is not healthy, and what to do; None if it is."""
    # `service.settings` would load pydantic, every few seconds.
    values = {name.upper(): value for name, value in environment.items()}
    host, port = values.get("INSTAR_HOST", ""), values.get("INSTAR_PORT") or "8080"
    is_tls = any(values.get(name) for name in _CERTIFICATES)
    place = f"{host or 'this machine'}, port {port}, by HTTP{'S' if is_tls else ''}"
    try:
        status = _status(_ALL.get(host, host), int(port), is_tls=is_tls)
    except TimeoutError:
        return f"no answer came from {place} within {_SECONDS} seconds: look into the service's log, and at its load"
    except (OSError, ValueError, http.client.HTTPException) as error:
        return (
            f"nobody answers at {place} ({error}): look into the service's log; if it listens elsewhere, give"
            " INSTAR_HOST, INSTAR_PORT and INSTAR_TLS__CERTIFICATE as variables of the container, and not as flags"
        )
    return None if status == http.client.OK else f"/health answers {status}: look into the service's log"


def _status(host: str, port: int, *, is_tls: bool) -> int:
    connection = (
        http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=_trusting())
        if is_tls
        else http.client.HTTPConnection(host, port, timeout=_SECONDS)
    )
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    finally:
        connection.close()


def _trusting() -> ssl.SSLContext:
    """The certificate is for the name that others know this machine by, and is not looked at."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def main() -> int:
    """Say why the service is not healthy; returns the exit code, 1 if so."""
    reason = problem(os.environ)
    if reason is not None:
        print(reason, file=sys.stderr)
    return 0 if reason is None else 1


if __name__ == "__main__":
    sys.exit(main())
