"""The encoder and the reranker swapped at once, again and again under load, and what the clients saw of that."""

import itertools
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.support.server import Server

CLIENTS = 5
# Documents that the reranker reads, of all that there are.
TOP = 10
ENCODERS = ("blue", "green")
RERANKERS = ("lark", "wren")
# So long may it take at most until every client has seen every pair, on the slowest machine, too.
_SECONDS = 300


@dataclass(eq=False)
class Reader:
    """Searches, with a reranker and without, and scores texts until told to stop; notes every answer."""

    base_url: str
    number: int
    stop: threading.Event
    queries: list[str]
    texts: list[str]
    searches: list[dict[str, Any]] = field(default_factory=list)
    scored: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def pairs(self) -> set[tuple[str, str]]:
        """The names of encoder and reranker that have answered it together."""
        return {(answer["model"].partition("@")[0], answer["reranker"].partition("@")[0]) for answer in self.searches}

    def run(self) -> None:
        pick = random.Random(self.number)
        with httpx.Client(base_url=self.base_url, timeout=30) as client:
            while not self.stop.is_set():
                query, action = pick.choice(self.queries), pick.random()
                if action < 0.7:
                    self._search(client, query)
                elif action < 0.85:
                    self._score(client, query, pick.sample(self.texts, 3))
                else:
                    self._send(client, "/search", {"query": query, "k": TOP})
                time.sleep(pick.random() * 0.03)

    def _search(self, client: httpx.Client, query: str) -> None:
        body = {"query": query, "k": TOP, "explain": True, "rerank": {"top": TOP}}
        response = self._send(client, "/search", body)
        if response is not None:
            headers = [response.headers[f"X-Instar-{name}"] for name in ("Model", "Generation", "Reranker")]
            self.searches.append({"query": query, "headers": headers, **response.json()})

    def _score(self, client: httpx.Client, query: str, texts: list[str]) -> None:
        response = self._send(client, "/rerank", {"query": query, "texts": texts})
        if response is not None:
            scores = {texts[rank["index"]]: rank["score"] for rank in response.json()}
            self.scored.append({"query": query, "reranker": response.headers["X-Instar-Reranker"], "scores": scores})

    def _send(self, client: httpx.Client, path: str, body: object) -> httpx.Response | None:
        try:
            response = client.post(path, json=body)
        except httpx.HTTPError as error:
            self.failures.append(f"{path}: {error!r}")
            return None
        if not response.is_success:
            self.failures.append(f"{path}: {response.status_code} {response.text}")
            return None
        return response


@dataclass
class Exchanged:
    """What came of it: the texts by id, the checkpoints' folders by their ids, and what the clients saw."""

    texts: Mapping[str, str]
    encoders: Mapping[str, Path]
    rerankers: Mapping[str, Path]
    readers: list[Reader]


class Exchange:
    """Swaps both at once: generations 1 and 2 by rollbacks, the rerankers by reloads and rollbacks.

    A rollback of the generation waits for no job, so it happens in the middle of the reload of a reranker.
    """

    def __init__(self, server: Server, readers: list[Reader]) -> None:
        self._server = server
        self._readers = readers
        self._stop = readers[0].stop

    def run(self) -> None:
        """Swap until every client has seen every pair, and each kind of swap has happened."""
        threads = [threading.Thread(target=run) for run in (*(reader.run for reader in self._readers), self._encoders)]
        for thread in threads:
            thread.start()
        try:
            deadline = time.monotonic() + _SECONDS
            while not self._seen() and time.monotonic() < deadline:
                self._rerankers()
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _seen(self) -> bool:
        everything = set(itertools.product(ENCODERS, RERANKERS))
        return all(reader.pairs == everything for reader in self._readers)

    def _encoders(self) -> None:
        with httpx.Client(base_url=self._server.client.base_url, timeout=30) as client:
            for number in itertools.cycle((1, 2)):
                if self._stop.is_set():
                    return
                client.post("/admin/rollback", json={"generation": number}).raise_for_status()
                time.sleep(0.1)

    def _rerankers(self) -> None:
        """Go from the first reranker to the second and on to the first, and both steps back."""
        for name in reversed(RERANKERS):
            assert self._server.reload_reranker(name)["state"] == "done"
        for _ in range(2):
            self._server.post("/admin/rollback", {"reranker": True})
