"""A reload under load, and what the clients saw of it."""

import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support.server import Server

CLIENTS = 8
# Enough for many answers of either generation while they are embedded.
DOCUMENTS = 500
# So many queries are more tokens than the models read.
LONG_QUERIES = 20


@dataclass(eq=False)
class Client:
    """Searches, writes and deletes until told to stop, and notes every answer."""

    base_url: str
    number: int
    stop: threading.Event
    queries: list[str]
    answers: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    written: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)

    def run(self) -> None:
        pick = random.Random(self.number)
        with httpx.Client(base_url=self.base_url, timeout=30) as client:
            for turn in range(1_000_000):
                if self.stop.is_set():
                    return
                action = pick.random()
                if action < 0.8:
                    self._search(client, pick.choice(self.queries))
                elif action < 0.95 or not self.written:
                    self._write(client, f"client{self.number}-{turn % 50}", self._text(pick, turn))
                else:
                    self._delete(client, pick.choice(sorted(self.written)))
                time.sleep(pick.random() * 0.1)

    def _text(self, pick: random.Random, turn: int) -> str:
        """A text of one window, or one time in five of several, which is all of the queries in some order."""
        if pick.random() < 0.8:
            return f"{pick.choice(self.queries)} Note {turn}."
        return " ".join([f"Note {turn}.", *pick.sample(self.queries, min(len(self.queries), LONG_QUERIES))])

    def has_seen(self, generation: int) -> bool:
        return any(answer["generation"] == generation for answer in self.answers[-20:])

    def _search(self, client: httpx.Client, query: str) -> None:
        # The score is that of the passage.
        response = self._send(client, "POST", "/search", {"query": query, "k": 5, "return": "passages"})
        if response is not None:
            body = response.json()
            self.answers.append(
                {
                    "query": query,
                    "headers": (response.headers["X-Instar-Model"], int(response.headers["X-Instar-Generation"])),
                    **body,
                }
            )

    def _write(self, client: httpx.Client, identity: str, text: str) -> None:
        if self._send(client, "POST", "/documents", {"documents": [{"id": identity, "text": text}]}) is not None:
            self.written[identity] = text
            self.deleted.discard(identity)

    def _delete(self, client: httpx.Client, identity: str) -> None:
        if self._send(client, "DELETE", f"/documents/{identity}", None) is not None:
            self.deleted.add(identity)
            del self.written[identity]

    def _send(self, client: httpx.Client, method: str, path: str, body: object) -> httpx.Response | None:
        try:
            response = client.request(method, path, json=body)
        except httpx.HTTPError as error:
            self.failures.append(f"{method} {path}: {error!r}")
            return None
        if not response.is_success:
            self.failures.append(f"{method} {path}: {response.status_code} {response.text}")
            return None
        return response


@dataclass
class Swapped:
    """A reload from blue to green under load, and what the clients saw of it."""

    server: Server
    job: dict[str, Any]
    clients: list[Client]
