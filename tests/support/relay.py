"""A relay between a client and a PostgreSQL server that can fall silent, as a network does that has lost its way."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.postgres import USER, Postgres

_SOCKET = ".s.PGSQL.5432"


class Relay:
    """Passes bytes on in both directions. While it is `silent`, it takes them and passes nothing on."""

    def __init__(self, server: Postgres, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._passing = threading.Event()
        self._passing.set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / _SOCKET))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self) -> str:
        return f"postgresql://{USER}@/postgres?host={self._folder}"

    @contextmanager
    def silent(self) -> Iterator[None]:
        self._passing.clear()
        try:
            yield
        finally:
            self._passing.set()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._server.folder / _SOCKET))
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                self._passing.wait()
                target.sendall(data)
            self._passing.wait()
            target.shutdown(socket.SHUT_WR)
        except OSError:
            # The other direction has ended.
            return
