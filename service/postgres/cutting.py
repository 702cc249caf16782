"""Cuts a connection whose server is silent: libpq waits for an answer for ever otherwise."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import psycopg


class Cut:
    """A second handle on the socket of a connection, which nobody else closes, so that any thread may cut it."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))

    def __call__(self) -> None:
        """End whatever waits for the server, with an OperationalError."""
        # The server may have ended the connection before.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the handle. The connection stays open."""
        self._socket.close()


@contextmanager
def patiently(connection: psycopg.Connection[Any], seconds: float) -> Iterator[None]:
    """Cut the connection unless the block ends in so many seconds."""
    with closing(Cut(connection)) as cut:
        timer = threading.Timer(seconds, cut)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
