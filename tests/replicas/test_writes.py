"""Any replica takes writes, and all show them."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support import replicas
from tests.support.postgres import Postgres
from tests.support.server import Server


@pytest.fixture(scope="module", params=["faiss", "pgvector"])
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path, database: Postgres
) -> Iterator[list[Server]]:
    """Two replicas with the checkpoint `one`."""
    folder = tmp_path_factory.mktemp("pair")
    schema = f"s{uuid4().hex}"
    with replicas.running(
        folder, 2, tiny_checkpoints, database, MODEL="one", schema=schema, INDEX__KIND=request.param
    ) as servers:
        yield servers


def within_a_second(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 1
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ids(server: Server, query: str, **options: object) -> list[str]:
    return [result["id"] for result in server.search(query, k=50, **options)]


def has(server: Server, expected: list[str]) -> bool:
    """Whether these are all documents of the collection `both`."""
    return sorted(ids(server, "text", collection="both")) == expected


@pytest.mark.parametrize("mode", ["dense", "keyword", "hybrid"])
def test_a_write_is_found_on_the_other_replica_within_a_second(pair: list[Server], mode: str) -> None:
    one, other = pair
    name = f"a-{mode}"
    one.put_documents({name: f"the {name} of replicas"})
    within_a_second(lambda: name in ids(other, f"{name} replicas", mode=mode))
    other.post("/documents/delete", {"ids": [name]})
    within_a_second(lambda: name not in ids(one, f"{name} replicas", mode=mode))


def test_a_search_that_has_seen_a_write_finds_it_on_every_replica(pair: list[Server]) -> None:
    one, other = pair
    for number in range(20):
        writer, reader = (one, other) if number % 2 else (other, one)
        body = {"documents": [{"id": f"seen-{number}", "text": f"number {number} was seen"}]}
        seen = writer.client.post("/documents", json=body).headers["X-Instar-Seen"]
        answer = reader.client.post(
            "/search", json={"query": f"number {number} was seen", "k": 50}, headers={"X-Instar-Seen": seen}
        )
        assert f"seen-{number}" in [result["id"] for result in answer.json()["results"]]


def test_a_document_that_is_replaced_is_found_once_at_every_moment(pair: list[Server]) -> None:
    one, other = pair
    one.put_documents({"replaced": "the text number 0"}, collection="replaced")
    within_a_second(lambda: ids(other, "text", collection="replaced") == ["replaced"])

    def replace() -> None:
        for number in range(200):
            one.put_documents({"replaced": f"the text number {number}"}, collection="replaced")

    with ThreadPoolExecutor(1) as thread:
        replaced = thread.submit(replace)
        while not replaced.done():
            assert ids(other, "text", collection="replaced") == ["replaced"]
        replaced.result()


def test_a_write_that_changes_nothing_has_seen_what_is_there(pair: list[Server]) -> None:
    for number in range(20):
        body = {"documents": [{"id": f"twice-{number}", "text": "the same text"}]}
        positions = [int(server.client.post("/documents", json=body).headers["X-Instar-Seen"]) for server in pair]
        assert positions == sorted(positions)


def test_what_no_answer_had_was_never_seen(pair: list[Server]) -> None:
    for value in ("soon", "-1", "1" * 40):
        answer = pair[0].client.post("/search", json={"query": "x"}, headers={"X-Instar-Seen": value})
        assert answer.status_code == 422
        assert "X-Instar-Seen" in answer.text


def test_writes_of_both_at_once_are_all_found_on_both(pair: list[Server]) -> None:
    def write(server: Server, prefix: str) -> None:
        for number in range(30):
            server.put_documents({f"{prefix}-{number % 10}": f"{prefix} text {number}"}, collection="both")

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(write, pair, "ab"))
    expected = sorted(f"{prefix}-{number}" for prefix in "ab" for number in range(10))
    for server in pair:
        within_a_second(partial(has, server, expected))
