"""Promise 10: replicas swap as one, whatever happens to one of them."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from tests.replicas.clients import Searching, searching
from tests.support import replicas
from tests.support.postgres import Postgres
from tests.support.server import Server

TOLERANCE = 1e-4
DOCUMENTS = {f"d{number}": f"document {number} of replicas says {number * 7 % 11}" for number in range(60)}


@pytest.fixture
def three(tmp_path: Path, tiny_checkpoints: Path, database: Postgres) -> Iterator[list[Server]]:
    """Three replicas with the checkpoint `one` and documents."""
    with replicas.running(tmp_path, 3, tiny_checkpoints, database, MODEL="one", schema=f"s{uuid4().hex}") as servers:
        servers[0].put_documents(DOCUMENTS)
        time.sleep(0.5)
        yield servers


@contextmanager
def writing(server: Server) -> Iterator[list[str]]:
    """Within the block, write documents one after another; the list has those whose write was answered."""
    written: list[str] = []
    stopped = threading.Event()

    def write() -> None:
        number = 0
        while not stopped.is_set():
            number += 1
            identity = f"w{number}"
            answer = server.client.post(
                "/documents", json={"documents": [{"id": identity, "text": f"written {number}"}]}
            )
            if answer.status_code == 200:
                written.append(identity)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield written
    finally:
        stopped.set()
        thread.join()


def generations_of(server: Server) -> int:
    number: int = server.get("/info")["generation"]
    return number


def require_unmixed(clients: Sequence[Searching], checkpoints: Path) -> None:
    """Every score is that of the generation that its answer names."""
    models = {name: SentenceTransformer(str(checkpoints / name), device="cpu") for name in ("one", "two")}
    questions = {
        name: model.encode_query(["the document of replicas"], normalize_embeddings=True)[0]
        for name, model in models.items()
    }
    answers = [answer for client in clients for answer in client.good()]
    texts = sorted({result["text"] for answer in answers for result in answer.results})
    vectors = {
        name: dict(zip(texts, model.encode_document(texts, normalize_embeddings=True), strict=True))
        for name, model in models.items()
    }
    assert answers
    for answer in answers:
        assert answer.header == (answer.model, str(answer.generation))
        name = answer.model.partition("@")[0]
        assert answer.results
        for result in answer.results:
            cosine = float(np.dot(questions[name], vectors[name][result["text"]]))
            assert abs(cosine - result["score"]) < TOLERANCE


def require_together(clients: Sequence[Searching], former: int, later: int) -> None:
    """No search that began a second after the first answer of the later generation was answered by the former one."""
    answers = [answer for client in clients for answer in client.good()]
    first = min(answer.answered for answer in answers if answer.generation == later)
    late = [answer for answer in answers if answer.generation == former and answer.asked > first + 1]
    assert not late
    for client in clients:
        seen = [answer.generation for answer in client.good()]
        assert seen == sorted(seen, reverse=former > later)


def test_three_replicas_swap_as_one_under_searches_and_writes(three: list[Server], tiny_checkpoints: Path) -> None:
    with searching(three) as clients, writing(three[1]) as written:
        time.sleep(1)
        assert three[0].reload("two")["state"] == "done"
        time.sleep(2)
        back = time.monotonic()
        rolled_back = three[2].post("/admin/rollback")
        time.sleep(2)
    assert rolled_back["generation"] == 1
    assert written
    for client in clients:
        assert {answer.status for answer in client.answers} == {200}
        assert {answer.generation for answer in client.answers} == {1, 2}
    require_unmixed(clients, tiny_checkpoints)
    require_together([client.between(0, back) for client in clients], 1, 2)
    require_together([client.between(back, time.monotonic()) for client in clients], 2, 1)
    for server in three:
        assert generations_of(server) == 1
        ids = {result["id"] for result in server.search("written", k=1000)}
        assert set(written) <= ids


def stopped(server: Server) -> Callable[[], None]:
    """Stop the process, and return what lets it go on."""
    server.process.send_signal(signal.SIGSTOP)
    return lambda: server.process.send_signal(signal.SIGCONT)


@pytest.mark.nightly
def test_a_replica_that_is_stopped_during_the_swap_answers_with_nothing_former_afterwards(
    three: list[Server], tiny_checkpoints: Path
) -> None:
    with searching(three[:2]) as others, searching(three[2:]) as away:
        time.sleep(0.5)
        let_go_on = stopped(three[2])
        try:
            # A replica that is silent for some seconds is not waited for.
            assert three[0].reload("two")["state"] == "done"
            time.sleep(1.5)
        finally:
            let_go_on()
        resumed = time.monotonic()
        wait_until(lambda: any(answer.generation == 2 for answer in away[0].good()))
        time.sleep(0.5)
    require_unmixed([*others, *away], tiny_checkpoints)
    for client in others:
        assert {answer.status for answer in client.answers} == {200}
    require_together([*others, *away], 1, 2)
    # What it was asked before it was stopped may be of the former generation. What came later is not.
    assert all(answer.generation == 2 for answer in away[0].good() if answer.asked > resumed)


def test_a_leader_that_dies_while_it_builds_is_replaced(three: list[Server], tiny_checkpoints: Path) -> None:
    with searching(three[1:]) as clients:
        three[0].post("/admin/reload", {"model": "two"})
        three[0].kill()
        wait_until(lambda: all(generations_of(server) == 2 for server in three[1:]), 60)
    for client in clients:
        assert {answer.status for answer in client.answers} == {200}
    require_unmixed(clients, tiny_checkpoints)
    require_together(clients, 1, 2)


@pytest.mark.nightly
def test_one_reload_runs_at_a_time_on_all_replicas(three: list[Server]) -> None:
    job = three[0].post("/admin/reload", {"model": "two"})
    refused = three[1].client.post("/admin/reload", json={"model": "two"})
    ended = three[0].wait_for_job(job["id"])
    assert ended["state"] == "done"
    # One that waits for the end of the other finds nothing to do.
    assert refused.status_code == 409 or "is active already" in three[1].wait_for_job(refused.json()["id"])["reason"]
    # Any replica knows of the job.
    assert three[2].get(f"/admin/jobs/{job['id']}")["state"] == "done"


@pytest.mark.nightly
def test_a_replica_that_joins_has_what_the_others_have(
    three: list[Server], tmp_path: Path, tiny_checkpoints: Path, database: Postgres
) -> None:
    assert three[0].reload("two")["state"] == "done"
    schema = str(three[0].settings["REPLICAS__DB_SCHEMA"])
    with replicas.replica(tmp_path, "late", tiny_checkpoints, database, MODEL="one", schema=schema) as late:
        assert generations_of(late) == 2
        assert {result["id"] for result in late.search("document", k=100)} == DOCUMENTS.keys()


def wait_until(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
