"""Promises 1 and 3: during a reload nothing fails, and no answer mixes two generations."""

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from service import sample
from tests.support.server import Server

CLIENTS = 8
# Batches differ between the service and the offline computation, and with them the last bits.
TOLERANCE = 1e-4


@dataclass(eq=False)
class Client:
    """Searches, writes and deletes until told to stop, and notes every answer."""

    base_url: str
    number: int
    stop: threading.Event
    queries: list[str]
    texts: list[str]
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
                    self._write(client, f"client{self.number}-{turn % 50}", f"{pick.choice(self.texts)} Note {turn}.")
                else:
                    self._delete(client, pick.choice(sorted(self.written)))
                time.sleep(pick.random() * 0.1)

    def has_seen(self, generation: int) -> bool:
        return any(answer["generation"] == generation for answer in self.answers[-20:])

    def _search(self, client: httpx.Client, query: str) -> None:
        response = self._send(client, "POST", "/search", {"query": query, "k": 5})
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


@pytest.fixture(scope="module")
def swapped(tmp_path_factory: pytest.TempPathFactory, real_checkpoints: Path) -> Iterator[Swapped]:
    server = Server(tmp_path_factory.mktemp("swap"), SAMPLE="true", MODEL="blue")
    server.checkpoints.mkdir()
    for name in ("blue", "green"):
        (server.checkpoints / name).symlink_to(real_checkpoints / name)
    corpus = sample.load()
    queries, texts = list(corpus["queries"].values()), list(corpus["corpus"].values())
    with server:
        stop = threading.Event()
        clients = [Client(str(server.client.base_url), n, stop, queries, texts) for n in range(CLIENTS)]
        threads = [threading.Thread(target=client.run) for client in clients]
        for thread in threads:
            thread.start()
        time.sleep(1)
        job = server.reload("green")
        deadline = time.monotonic() + 30
        while not all(client.has_seen(job["generation"]) for client in clients) and time.monotonic() < deadline:
            time.sleep(0.05)
        stop.set()
        for thread in threads:
            thread.join()
        yield Swapped(server, job, clients)


def test_reload_ends_and_counts_what_it_embedded(swapped: Swapped) -> None:
    assert swapped.job["state"] == "done", swapped.job
    assert swapped.job["generation"] == 2
    assert swapped.job["done"] == swapped.job["total"] >= len(sample.load()["corpus"])


def test_no_request_fails_during_a_reload(swapped: Swapped) -> None:
    assert [failure for client in swapped.clients for failure in client.failures] == []
    assert sum(len(client.answers) for client in swapped.clients) > 100


def test_every_client_sees_the_generations_in_order(swapped: Swapped) -> None:
    for client in swapped.clients:
        seen = [answer["generation"] for answer in client.answers]
        assert seen == sorted(seen)
        assert set(seen) == {1, 2}


def test_an_answer_names_one_generation_in_header_and_body(swapped: Swapped) -> None:
    models = {1: "blue", 2: "green"}
    for client in swapped.clients:
        for answer in client.answers:
            assert answer["headers"] == (answer["model"], answer["generation"])
            assert answer["model"].partition("@")[0] == models[answer["generation"]]


def test_every_score_is_that_of_the_generation_that_the_answer_names(swapped: Swapped, real_checkpoints: Path) -> None:
    answers = [answer for client in swapped.clients for answer in client.answers if answer["results"]]
    texts = sorted({result["text"] for answer in answers for result in answer["results"]})
    queries = sorted({answer["query"] for answer in answers})
    for number, name in ((1, "blue"), (2, "green")):
        model = SentenceTransformer(str(real_checkpoints / name), device="cpu")
        documents = dict(zip(texts, model.encode_document(texts, normalize_embeddings=True), strict=True))
        questions = dict(zip(queries, model.encode_query(queries, normalize_embeddings=True), strict=True))
        own = [answer for answer in answers if answer["generation"] == number]
        assert own
        worst = max(
            abs(float(np.dot(questions[answer["query"]], documents[result["text"]])) - result["score"])
            for answer in own
            for result in answer["results"]
        )
        assert worst < TOLERANCE


def test_what_was_written_and_deleted_meanwhile_is_right_afterwards(swapped: Swapped) -> None:
    written = {identity: text for client in swapped.clients for identity, text in client.written.items()}
    deleted = {identity for client in swapped.clients for identity in client.deleted}
    assert written
    assert deleted
    for identity, text in written.items():
        assert swapped.server.get(f"/documents/{identity}")["text"] == text
        best = swapped.server.search(text, k=1)[0]
        # Another client may have noted the same text.
        assert best["text"] == text
        assert best["score"] > 1 - TOLERANCE
    for identity in deleted:
        assert swapped.server.client.get(f"/documents/{identity}").status_code == 404
    found = {result["id"] for text in list(written.values())[:20] for result in swapped.server.search(text, k=200)}
    assert not found & deleted
    assert found & written.keys()
