"""Any replica takes what users do, all derive from all of it, and a user is forgotten on all of them."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from service.learning.ids import TimeOrderedIds
from tests.support import kept_files, replicas
from tests.support.postgres import Postgres
from tests.support.server import Server
from tests.support.waiting import until

pytestmark = pytest.mark.nightly

TEXTS = {f"d{n}": f"report {n} of ward {n % 7}, section {n % 11}" for n in range(60)}
WORD = "quibblix"


@pytest.fixture(scope="module")
def pair(
    tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path, database: Postgres
) -> Iterator[list[Server]]:
    """Two replicas with the checkpoint `one` and documents."""
    folder, schema = tmp_path_factory.mktemp("pair"), f"s{uuid4().hex}"
    with replicas.running(folder, 2, tiny_checkpoints, database, MODEL="one", schema=schema) as servers:
        servers[0].put_documents(TEXTS)
        until(lambda: len(servers[1].search("report", k=100, log=False)) == len(TEXTS))
        yield servers


def searched(server: Server, query: str) -> dict[str, Any]:
    """A search of Ann."""
    answered: dict[str, Any] = server.post("/search", {"query": query, "user": "ann"})
    return answered


def forget(server: Server) -> Any:
    """Forget Ann."""
    return server.client.delete("/admin/users/ann").json()


def kept(server: Server) -> set[str]:
    return {search["query"] for search in server.get("/admin/searches")["searches"]}


def derived(server: Server) -> set[str]:
    page = server.get("/admin/judgements", params={"source": ["feedback", "click"]})
    return {judgement["query"] for judgement in page["judgements"]}


def has_derived(server: Server, *queries: str) -> bool:
    return derived(server) >= set(queries)


def test_judgements_follow_from_feedback_that_any_replica_took_and_go_with_its_user(pair: list[Server]) -> None:
    for number, (asked, told) in enumerate((pair, pair[::-1])):
        search = searched(asked, f"{WORD} {number}")
        asked.get(f"/admin/searches/{search['search']}")
        event = {"search": search["search"], "action": "good", "document": search["results"][0]["id"]}
        told.post("/feedback", event)
    for server in pair:
        until(partial(has_derived, server, f"{WORD} 0", f"{WORD} 1"))
    # Both derive from time to time, and neither brings back what the other one has removed.
    pair[0].post("/feedback", {"query": "of bob", "action": "good", "document": "d1", "user": "bob"})
    pair[1].post("/feedback", {"query": "of cleo", "action": "good", "document": "d1", "user": "cleo"})
    assert forget(pair[1]) == {"removed": 4}
    for server in pair:
        until(partial(has_derived, server, "of bob", "of cleo"))
        assert kept(server) == set()
    # Longer than either of them rests.
    time.sleep(3)
    assert derived(pair[0]) == {"of bob", "of cleo"}
    assert [kept_files.legible(server, {WORD}) for server in pair] == [set(), set()]


def test_feedback_about_a_search_that_another_replica_has_just_answered_is_taken(pair: list[Server]) -> None:
    for number, (asked, told) in enumerate((pair, pair[::-1])):
        search = searched(asked, f"just now {number}")
        told.post("/feedback", {"search": search["search"], "action": "click", "document": search["results"][0]["id"]})
    unknown = {"search": TimeOrderedIds().new(), "action": "good"}
    assert pair[0].client.post("/feedback", json=unknown).status_code == 404


def test_a_search_that_waits_on_one_replica_while_another_one_forgets_its_user_is_not_kept(pair: list[Server]) -> None:
    one, other = pair
    # The log writes what has gathered for half a second.
    searched(other, f"{WORD} before")
    forget(one)
    time.sleep(1)
    assert f"{WORD} before" not in kept(other)
    assert [kept_files.legible(server, {WORD}) for server in pair] == [set(), set()]
    searched(other, "of Ann, who came back")
    assert "of Ann, who came back" in kept(other)


def test_a_job_of_one_replica_does_not_name_the_queries_of_a_user_whom_another_one_has_forgotten(
    pair: list[Server],
) -> None:
    one, other = pair
    said = []
    for number in range(12):
        query = f"{WORD} section {number} of ward {number % 7}"
        first, *_, last = other.search(query, log=False)
        for good, hit in ((True, first), (False, last)):
            said.append({"query": query, "document": hit["id"], "good": good, "source": "person", "by": "ann"})
    other.post("/admin/judgements", {"judgements": said})
    job = other.post("/admin/reload", {"model": "two", "force": True, "shadow": 1})
    other.wait_for_stage(job["id"], "shadow")
    assert WORD in str(other.get(f"/admin/jobs/{job['id']}")["judged"])
    assert forget(one)["removed"] >= 24
    assert WORD not in str(one.get(f"/admin/jobs/{job['id']}"))
    until(lambda: WORD not in str(other.get(f"/admin/jobs/{job['id']}")))
    other.post("/admin/activate", {"force": True})
    assert other.wait_for_job(job["id"])["state"] == "done"
    assert [kept_files.legible(server, {WORD}) for server in pair] == [set(), set()]


def test_the_events_of_a_replica_that_dies_are_derived_from_by_another_one(pair: list[Server]) -> None:
    one, other = pair
    one.post("/feedback", {"query": "of the living", "action": "good", "document": "d1"})
    # From now on it has no reason of its own to derive.
    until(partial(has_derived, one, "of the living"))
    other.post("/feedback", {"query": "of the dead", "action": "good", "document": "d1"})
    other.kill()
    until(partial(has_derived, one, "of the dead"))
    other.start()
