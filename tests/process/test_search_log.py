"""Searches are kept with an id, as they were shown; the log never troubles a search, and a user can be forgotten."""

import os
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from service.learning.ids import made
from service.learning.pseudonyms import Pseudonyms
from service.learning.sqlite.store import SqliteFeedbackStore
from tests.contract.feedback.stores import searched
from tests.support import checkpoints
from tests.support.metrics import samples
from tests.support.server import Server

SECRET = "violets in the attic"
TEXTS = {"a": "closing the day", "b": "counting the stock", "c": "a parcel for the attic"}


def kept(server: Server, **search: Any) -> dict[str, Any]:
    """The search as it was logged, with what the answer had shown."""
    answer = server.post("/search", {"query": "the day", **search})
    logged: dict[str, Any] = server.get(f"/admin/searches/{answer['search']}")
    assert [(result["id"], result["score"]) for result in logged["results"]] == [
        (hit["id"], pytest.approx(hit["score"])) for hit in answer["results"]
    ]
    return logged


def test_every_search_is_kept_as_it_was_shown(tiny_server: Server) -> None:
    server = tiny_server
    server.put_documents(TEXTS)
    dense = kept(server, user="ann", session="chat-1")
    assert made(dense["id"]) is not None
    assert (dense["query"], dense["collection"], dense["mode"], dense["k"]) == ("the day", "default", "dense", 10)
    assert (dense["generation"], dense["model"]) == (1, server.get("/info")["model"])
    assert (dense["key"], dense["filter"], dense["reranker"]) == (None, None, None)
    assert len({dense["user"], dense["session"], "ann", "chat-1"}) == 4
    keyword = kept(server, mode="keyword", user="ann", filter={"not": {"n": 1}})
    assert (keyword["mode"], keyword["filter"], keyword["user"]) == ("keyword", {"not": {"n": 1}}, dense["user"])
    second = kept(server, mode="hybrid", k=2, offset=1)
    assert [result["rank"] for result in second["results"]] == [2, 3]
    assert kept(server, group_by="source")["results"]
    assert kept(server, filter={"source": "nothing"})["results"] == []
    checkpoints.tiny_reranker(server.checkpoints / "reranker")
    assert server.wait_for_job(server.post("/admin/reload", {"reranker": "reranker"})["id"])["state"] == "done"
    reranked = kept(server, rerank={"top": 3}, k=2)
    assert reranked["reranker"].startswith("reranker@")
    several = server.post("/search", {"query": ["the day", "stock"], "k": 1, "user": "bob"})
    first, last = several["search"]
    assert first < last
    pages = server.get("/admin/searches", params={"limit": 3})
    assert [search["id"] for search in pages["searches"][:2]] == [last, first]
    assert [search["query"] for search in pages["searches"]] == ["stock", "the day", "the day"]
    rest = server.get("/admin/searches", params={"cursor": pages["next"]})
    assert [len(rest["searches"]), rest["next"]] == [5, None]
    unkept = server.post("/search", {"query": "the day", "log": False})
    assert "search" not in unkept
    assert "search" not in server.post("/search", {"query": "long " * 2001})
    assert len(server.get("/admin/searches")["searches"]) == 8


def test_a_user_is_forgotten_and_no_file_has_the_texts(tiny_server: Server) -> None:
    server = tiny_server
    server.put_documents(TEXTS)

    def files_with(text: str) -> list[Path]:
        return [path for path in server.data.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]

    ids = [server.post("/search", {"query": f"{SECRET} {n}", "user": "ann"})["search"] for n in range(20)]
    other = server.post("/search", {"query": "of another one", "user": "bob"})["search"]
    server.post("/feedback", {"search": ids[0], "action": "click", "document": "c"})
    server.post("/feedback", {"search": ids[1], "action": "bad", "note": f"{SECRET} as a note"})
    server.post("/feedback", {"query": f"{SECRET} without a search", "action": "bad", "user": "ann"})
    assert files_with(SECRET)
    # One that waits to be written is forgotten, too.
    server.post("/search", {"query": SECRET, "user": "ann"})
    assert server.client.delete("/admin/users/ann").json() == {"removed": 24}
    assert files_with(SECRET) == []
    assert files_with("of another one")
    assert [search["id"] for search in server.get("/admin/searches")["searches"]] == [other]
    again = server.client.delete("/admin/users/ann")
    assert again.status_code == 404
    assert server.client.get(f"/admin/searches/{ids[0]}").status_code == 404
    assert "DELETE /admin/users/" in "".join(server.output)
    assert "ann" not in "".join(server.output)
    server.stop()
    assert files_with(SECRET) == []


def damaged(data: Path) -> None:
    (data / "learning.db").write_bytes(b"no database at all " * 1000)


def with_another_file_for_a_key(data: Path) -> None:
    (data / "learning.key").write_text("no key")


def without_the_key(data: Path) -> None:
    search = searched("01", "a", user="0" * 32)
    with closing(SqliteFeedbackStore(data / "learning.db")) as store:
        store.log([search])


def cut(data: Path) -> None:
    without_the_key(data)
    Pseudonyms(data / "learning.key").load()
    os.truncate(data / "learning.db", (data / "learning.db").stat().st_size // 2)


@pytest.mark.parametrize("damage", [damaged, cut, with_another_file_for_a_key, without_the_key])
def test_a_broken_log_is_said_and_searching_goes_on(stopped_server: Server, damage: Callable[[Path], None]) -> None:
    server = stopped_server
    server.data.mkdir()
    damage(server.data)
    with server:
        server.put_documents(TEXTS)
        deadline = time.monotonic() + 20
        while not server.get("/info")["search_log"]["failure"]:
            server.post("/search", {"query": "the day"})
            assert time.monotonic() < deadline
        answer = server.post("/search", {"query": "the day", "user": "ann"})
        assert len(answer["results"]) == 3
        assert len(server.post("/embed", {"inputs": "the day"})) == 1
        assert "search" not in answer
        assert "searches are not kept any more" in server.get("/info")["search_log"]["failure"]
        assert "searches are not kept any more" in "".join(server.output)
        assert samples(server)["instar_search_log_failed"] == [({}, 1)]
        assert server.client.get("/health").status_code == 200
        refused = server.client.post("/feedback", json={"query": "q", "action": "bad"})
        assert refused.status_code == 503
        assert refused.json()["error"]["type"] == "storage_failed"
        assert "learning.db away" in refused.json()["error"]["message"]


def test_nothing_is_kept_if_the_settings_say_so(stopped_server: Server) -> None:
    stopped_server.settings["SEARCHES__KEEP"] = "off"
    with stopped_server as server:
        server.put_documents(TEXTS)
        assert "search" not in server.post("/search", {"query": SECRET, "user": "ann", "log": True})
        assert server.get("/admin/searches")["searches"] == []
        assert server.get("/info")["search_log"] == {"keep": "off", "failure": None}
        assert samples(server)["instar_search_log_failed"] == [({}, 0)]
        assert not [path for path in server.data.iterdir() if path.is_file() and SECRET.encode() in path.read_bytes()]
        event = {"query": "the day", "document": "a", "action": "good"}
        assert server.post("/feedback", event) == {"accepted": 1, "repeated": 0}


@pytest.mark.parametrize(
    ("field", "value"), [("user", ""), ("user", "x" * 129), ("session", 7), ("session", "x" * 129), ("log", "yes")]
)
def test_wrong_fields_of_a_search_are_refused(server: Server, field: str, value: object) -> None:
    response = server.client.post("/search", json={"query": "stock", field: value})
    assert response.status_code == 422
    assert response.json()["error"]["param"] == field
