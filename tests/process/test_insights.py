"""An operator reads what users asked, what was not found, and what they thought of it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.server import Server

TEXTS = {"a": "closing the day", "b": "counting the stock", "c": "a parcel for the attic"}
NOTHING = {"searches": 0, "empty": 0, "good": 0, "bad": 0}
EMPTY = {"total": NOTHING, "most_asked": [], "nothing_found": [], "worst": [], "by_day": [], "dropped": 0}


def counted(searches: int = 0, empty: int = 0, good: int = 0, bad: int = 0, **names: Any) -> dict[str, Any]:
    return {**names, "searches": searches, "empty": empty, "good": good, "bad": bad}


def insights(server: Server, **params: Any) -> dict[str, Any]:
    answer: dict[str, Any] = server.get("/admin/insights", params=params)
    return answer


def test_searches_and_thumbs_are_counted(tiny_server: Server) -> None:
    server = tiny_server
    server.put_documents(TEXTS)
    server.put_documents({"x": "elsewhere"}, collection="other")
    empty = insights(server)
    assert empty["since"] is None
    assert empty["keep"] == "feedback"
    assert {name: empty[name] for name in EMPTY} == EMPTY
    began = datetime.now(UTC)
    ids = [server.post("/search", {"query": "the day"})["search"] for _ in range(4)]
    other = server.post("/search", {"query": "Größe 日本 🙂", "collection": "other"})["search"]
    nothing = server.post("/search", {"query": "the day ", "filter": {"n": 1}})["search"]
    server.post("/search", {"query": "unseen", "log": False})
    events = [
        {"search": ids[0], "action": "good", "document": "a"},
        *({"search": ids[1], "action": "bad", "document": document} for document in "abc"),
        {"search": other, "action": "bad"},
        {"search": nothing, "action": "bad"},
        {"search": ids[2], "action": "click", "document": "a"},
        {"query": "never searched", "action": "bad", "user": "ann"},
    ]
    server.post("/feedback", {"events": events})
    answer = insights(server)
    assert datetime.fromisoformat(answer["since"]) >= began
    assert answer["total"] == counted(6, 1, good=1, bad=4)
    day = counted(4, 0, good=1, bad=1, collection="default", query="the day")
    spaced = counted(1, 1, bad=1, collection="default", query="the day ")
    unicode = counted(1, 0, bad=1, collection="other", query="Größe 日本 🙂")
    thought = counted(bad=1, collection="default", query="never searched")
    assert answer["most_asked"] == [day, unicode, spaced]
    assert answer["nothing_found"] == [spaced]
    # A tenth, twice an eleventh, and a fourteenth.
    assert answer["worst"] == [thought, unicode, spaced, day]
    assert answer["by_day"] == [{"day": began.date().isoformat(), **answer["total"]}]
    model = server.get("/info")["model"]
    assert answer["by_generation"] == [
        counted(6, 1, good=1, bad=3, generation=1, model=model),
        counted(bad=1, generation=None, model=None),
    ]
    assert answer["by_collection"] == [
        counted(5, 1, good=1, bad=3, collection="default"),
        counted(1, 0, bad=1, collection="other"),
    ]
    one = insights(server, collection="other", days=1, limit=1)
    assert one["most_asked"] == [unicode]
    assert one["total"] == counted(1, bad=1)
    assert [row["collection"] for row in one["by_collection"]] == ["other"]
    # A collection that is deleted takes its documents with it, and not what was asked of it.
    assert server.client.delete("/collections/other").is_success
    assert insights(server, collection="other") == one | insights(server, collection="other", limit=1)


@pytest.mark.parametrize(
    ("params", "status", "param"),
    [
        ({"days": 0}, 422, "days"),
        ({"days": 367}, 422, "days"),
        ({"days": "week"}, 422, "days"),
        ({"limit": 0}, 422, "limit"),
        ({"limit": 1001}, 422, "limit"),
        ({"collection": ""}, 422, "collection"),
        ({"collection": "x" * 129}, 422, "collection"),
        ({"collection": "nowhere"}, 404, "collection"),
    ],
)
def test_wrong_parameters_are_refused(server: Server, params: dict[str, Any], status: int, param: str) -> None:
    response = server.client.get("/admin/insights", params=params)
    assert (response.status_code, response.json()["error"]["param"]) == (status, param), response.text


def test_a_log_that_is_off_or_broken_is_said(stopped_server: Server) -> None:
    server = stopped_server
    with server:
        server.put_documents(TEXTS)
        server.post("/search", {"query": "the day"})
    server.settings["SEARCHES__KEEP"] = "off"
    with server:
        server.post("/search", {"query": "unseen"})
        server.post("/feedback", {"query": "the day", "document": "a", "action": "good"})
        answer = insights(server)
        assert answer["keep"] == "off"
        assert answer["most_asked"] == [counted(1, good=1, collection="default", query="the day")]
    for file in server.data.glob("learning.db*"):
        file.unlink()
    (server.data / "learning.db").write_bytes(b"no database at all " * 1000)
    with server:
        refused = server.client.get("/admin/insights")
        assert refused.status_code == 503
        assert refused.json()["error"]["type"] == "storage_failed"


def test_only_admins_read_what_users_asked(stopped_server: Server) -> None:
    stopped_server.settings |= {"API_KEY": "data-key", "ADMIN_KEY": "admin-key"}
    with stopped_server as server:
        statuses = [
            server.client.get("/admin/insights", headers=headers).status_code
            for headers in ({}, {"Authorization": "Bearer data-key"}, {"Authorization": "Bearer admin-key"})
        ]
        assert statuses == [401, 403, 200]


def test_feedback_is_taken_while_many_count(server: Server) -> None:
    search = server.post("/search", {"query": "stock"})["search"]
    done = threading.Event()

    def count(_: int) -> int:
        times = 0
        while not done.is_set():
            times += server.client.get("/admin/insights", params={"days": 366}).is_success
        return times

    with ThreadPoolExecutor(16) as clients:
        counting = clients.map(count, range(16))
        for number in range(50):
            event = {"search": search, "action": "bad", "id": f"while-{number}"}
            assert server.post("/feedback", event) == {"accepted": 1, "repeated": 0}
        done.set()
        assert all(counting)
    assert {"query": "stock", **counted(1, bad=1)}.items() <= insights(server)["worst"][0].items()
