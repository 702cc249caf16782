"""The test of an address to listen on."""

import socket


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
        return (
            f"{host} port {port} cannot be listened on ({error.strerror}): end the process that listens there, or"
            " choose another INSTAR_PORT or INSTAR_HOST"
        )
    return None
