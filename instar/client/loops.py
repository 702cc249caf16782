"""Clients for asyncio where nobody knows beforehand which event loop asks."""

import asyncio
from collections.abc import Callable
from threading import Lock

from instar.client.asynchronous import AsyncInstar


class EachLoop:
    """A client for each event loop that asks, because a connection is of one loop. Safe from any thread."""

    def __init__(self, make: Callable[[], AsyncInstar]) -> None:
        self._make = make
        self._lock = Lock()
        self._clients: dict[asyncio.AbstractEventLoop, AsyncInstar] = {}

    @property
    def client(self) -> AsyncInstar:
        """The client for the loop that runs."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if loop not in self._clients:
                # A loop that has ended has no use for its connections, and cannot close them any more.
                self._clients = {one: client for one, client in self._clients.items() if not one.is_closed()}
                self._clients[loop] = self._make()
            return self._clients[loop]
