"""The test of an address to listen on. `make serve` runs this file before it has installed anything.

python3 service/process/address.py HOST PORT
"""

import socket
import sys

_HIGHEST = 65535


def problem(host: str, port: int) -> str | None:
    """The reason why the service cannot listen on the address, and what to do; None if it can."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
    except OSError as error:
        other = port + 1 if port < _HIGHEST else port - 1
        return (
            f"{host} port {port} cannot be listened on ({error.strerror}): end the process that listens there, or"
            " choose another INSTAR_PORT or INSTAR_HOST, as by"
            f" `instar serve --port {other}` or `INSTAR_PORT={other} make serve`"
        )
    return None


def main(host: str, port: str) -> int:
    """Say why the address cannot be listened on; returns the exit code, 1 if so."""
    # The service itself tells of a port that is no number, with all other settings that are wrong.
    reason = problem(host, int(port)) if port.isdecimal() and int(port) <= _HIGHEST else None
    if reason is not None:
        print(f"the service cannot start: {reason}", file=sys.stderr)
    return 0 if reason is None else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
