"""A reranker that one replica activates is active on all, and each search is ordered by the one that it names."""

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import numpy as np
import pytest
from sentence_transformers import CrossEncoder

from tests.support import checkpoints, replicas
from tests.support.postgres import Postgres
from tests.support.server import Server
from tests.support.waiting import until

pytestmark = pytest.mark.nightly

QUERY = "How long do parcels take?"
DOCUMENTS = {f"d{number}": f"Parcel {number} took {number * 3 % 7} days." for number in range(12)}
# The scores of a batch differ from those of another in the last digits.
TOLERANCE = 0.03


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Path:
    """Checkpoints of two encoders and of two rerankers, which order otherwise."""
    folder = tmp_path_factory.mktemp("rerankers")
    for name in ("one", "two"):
        (folder / name).symlink_to(tiny_checkpoints / name)
    for seed, name in enumerate(("lark", "wren")):
        checkpoints.tiny_reranker(folder / name, seed=seed)
    return folder


@pytest.fixture(scope="module")
def schema() -> str:
    return f"s{uuid4().hex}"


@pytest.fixture(scope="module")
def pair(
    tmp_path_factory: pytest.TempPathFactory, folder: Path, schema: str, database: Postgres
) -> Iterator[list[Server]]:
    """Two replicas with the checkpoint `one` and documents."""
    place = tmp_path_factory.mktemp("pair")
    with replicas.running(place, 2, folder, database, MODEL="one", schema=schema) as servers:
        servers[0].put_documents(DOCUMENTS)
        yield servers


def active(server: Server) -> Any:
    """The name of the active reranker, and whether it is the default; None if there is none."""
    reranker = server.get("/info")["reranker"]
    return reranker and (reranker["model"].partition("@")[0], reranker["by_default"])


def is_active(server: Server, wanted: tuple[str, bool] | None) -> bool:
    return bool(active(server) == wanted)


@contextmanager
def searching(servers: Sequence[Server]) -> Iterator[list[list[tuple[float, dict[str, Any]]]]]:
    """Within the block, search each replica as a caller who wants the default; the answers, and when each was asked."""
    stopped = threading.Event()
    answers: list[list[tuple[float, dict[str, Any]]]] = [[] for _ in servers]

    def search(server: Server, mine: list[tuple[float, dict[str, Any]]]) -> None:
        with httpx.Client(base_url=server.client.base_url, timeout=15) as client:
            while not stopped.is_set():
                asked = time.monotonic()
                answer = client.post("/search", json={"query": QUERY, "k": 12})
                if answer.status_code != 503:
                    mine.append((asked, answer.raise_for_status().json()))
                time.sleep(0.005)

    threads = [threading.Thread(target=search, args=each) for each in zip(servers, answers, strict=True)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def name_of(answer: dict[str, Any]) -> str:
    """The name of the reranker that the answer names."""
    return str(answer.get("reranker", "")).partition("@")[0]


def require_unmixed(answers: Sequence[dict[str, Any]], folder: Path) -> None:
    """Every score is that of the reranker that its answer names."""
    texts = list(DOCUMENTS.values())
    pairs = [(QUERY, text) for text in texts]
    expected = {}
    for name in ("lark", "wren"):
        scores = CrossEncoder(str(folder / name), device="cpu").predict(pairs)
        expected[name] = dict(zip(texts, scores, strict=True))
    for answer in answers:
        results = answer["results"]
        assert len(results) == len(DOCUMENTS)
        if name_of(answer):
            there = [expected[name_of(answer)][result["text"]] for result in results]
            np.testing.assert_allclose([result["score"] for result in results], there, atol=TOLERANCE)


def test_a_reranker_becomes_active_on_all_replicas_and_no_answer_mixes(pair: list[Server], folder: Path) -> None:
    # The name of each that was activated, when that was answered, and until when it stayed.
    spans: list[tuple[str, float, float]] = []

    def stay(name: str) -> None:
        activated = time.monotonic()
        time.sleep(2.5)
        spans.append((name, activated, time.monotonic()))

    with searching(pair) as answers:
        for number, name in enumerate(("lark", "wren")):
            assert pair[number].reload_reranker(name, by_default=True)["state"] == "done"
            stay(name)
        rolled_back = pair[0].post("/admin/rollback", {"reranker": True})["reranker"]["model"]
        stay("lark")
    assert rolled_back.startswith("lark@")
    for mine in answers:
        assert {name_of(answer) for _, answer in mine} == {"", "lark", "wren"}
        require_unmixed([answer for _, answer in mine], folder)
        for name, activated, until_then in spans:
            settled = {name_of(answer) for asked, answer in mine if activated + 1 < asked < until_then}
            assert settled == {name}
    assert active(pair[0]) == active(pair[1]) == ("lark", True)


def test_a_reranker_is_no_default_any_more_and_gone_on_all_replicas(pair: list[Server]) -> None:
    for name, by_default in (("lark", True), ("lark", False), ("wren", False)):
        assert pair[0].reload_reranker(name, by_default=by_default)["state"] == "done"
        for server in pair:
            until(partial(is_active, server, (name, by_default)), 1)
    while (former := pair[1].post("/admin/rollback", {"reranker": True})["reranker"]) is not None:
        until(partial(is_active, pair[0], (former["model"].partition("@")[0], former["by_default"])), 1)
    until(partial(is_active, pair[0], None), 1)


def test_a_replica_that_joins_or_was_stopped_has_the_reranker_of_the_others(
    pair: list[Server], folder: Path, schema: str, database: Postgres
) -> None:
    assert pair[0].reload_reranker("lark", by_default=True)["state"] == "done"
    # All replicas share their secrets.
    place = pair[0].folder.parent
    with replicas.replica(place, "late", folder, database, MODEL="one", schema=schema) as late:
        assert active(late) == ("lark", True)
        with searching([late]) as (answers,):
            until(lambda: bool(answers))
            late.process.send_signal(signal.SIGSTOP)
            try:
                # A replica that is silent for some seconds is not waited for.
                assert pair[1].reload_reranker("wren", by_default=True)["state"] == "done"
                time.sleep(1)
            finally:
                late.process.send_signal(signal.SIGCONT)
            resumed = time.monotonic()
            until(lambda: name_of(answers[-1][1]) == "wren")
        require_unmixed([answer for _, answer in answers], folder)
        assert {name_of(answer) for asked, answer in answers if asked > resumed} == {"wren"}
        assert late.post("/admin/rollback", {"reranker": True})["reranker"]["model"].startswith("lark@")


def test_no_replica_rolls_a_reranker_back_while_another_one_reloads(pair: list[Server]) -> None:
    identity = pair[0].post("/admin/reload", {"model": "two", "shadow": 1})["id"]
    for server in pair:
        refused = server.client.post("/admin/rollback", json={"reranker": True})
        assert (refused.status_code, refused.json()["error"]["job"]) == (409, identity)
    assert pair[1].client.delete(f"/admin/jobs/{identity}").json()["state"] == "cancelled"
