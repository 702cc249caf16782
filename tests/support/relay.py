"""A relay between a client and a PostgreSQL server, which does what networks do: it falls silent, delays and resets."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.support.postgres import USER, Postgres

# What a transaction sends that logs a change: the name of the channel on which others are told of it.
_LOGS = b"instar_"
_COMMIT = b"COMMIT"


class Relay:
    """Passes bytes on in both directions, over TCP to the client. `delay` is the seconds for which it keeps each part.

    While it is silent, it takes bytes and passes them on when the silence ends, as TCP does after a loss of packets.
    """

    def __init__(self, server: Postgres) -> None:
        self.delay = 0.0
        self._server = server
        self._passing = threading.Event()
        self._passing.set()
        self._open = set[socket.socket]()
        self._refuses = self._loses = False
        self._commit: str | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self) -> str:
        port = self._listener.getsockname()[1]
        return f"postgresql://{USER}@127.0.0.1:{port}/postgres?sslmode=disable&gssencmode=disable"

    @contextmanager
    def silent(self) -> Iterator[None]:
        self._passing.clear()
        try:
            yield
        finally:
            self._commit = None
            self._passing.set()

    @contextmanager
    def losing(self) -> Iterator[None]:
        """Lose what is said in this time for good, and say nothing of it, as a pooler may do that is started again."""
        self._loses = True
        try:
            yield
        finally:
            self._loses = False

    @contextmanager
    def silent_from_a_commit(self, *, delivered: bool) -> Iterator[None]:
        """Fall silent when a change is committed: after the server was told, or before."""
        self._commit = "delivered" if delivered else "kept"
        try:
            yield
        finally:
            self._commit = None
            self._passing.set()

    @contextmanager
    def delaying(self, seconds: float) -> Iterator[None]:
        self.delay = seconds
        try:
            yield
        finally:
            self.delay = 0.0

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """End every connection, and each one that comes."""
        self._refuses = True
        self._reset()
        try:
            yield
        finally:
            self._refuses = False

    def close(self) -> None:
        self._refuses = True
        # Closing alone does not wake the thread that accepts.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._passing.set()
        self._reset()

    def _reset(self) -> None:
        for end in list(self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refuses:
                client.close()
                continue
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._server.folder / ".s.PGSQL.5432"))
            self._open |= {client, server}
            threading.Thread(target=self._ask, args=(client, server), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(server, client), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        """Pass on what the client says, up to a commit at which the relay shall fall silent."""
        logs = False

        def look(data: bytes) -> None:
            nonlocal logs
            logs = logs or _LOGS in data
            if _COMMIT not in data:
                return
            if logs and self._commit is not None:
                delivered, self._commit = self._commit == "delivered", None
                self._passing.clear()
                if not delivered:
                    self._passing.wait()
            logs = False

        self._pass_on(client, server, look)

    def _pass_on(
        self, source: socket.socket, target: socket.socket, look: Callable[[bytes], None] = lambda _: None
    ) -> None:
        try:
            while data := source.recv(1 << 16):
                self._passing.wait()
                if self._loses:
                    continue
                if self.delay:
                    time.sleep(self.delay)
                look(data)
                target.sendall(data)
            self._passing.wait()
            target.shutdown(socket.SHUT_WR)
        except OSError:
            # The other direction has ended.
            return
        finally:
            self._open.discard(source)
