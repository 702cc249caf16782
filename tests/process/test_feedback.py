"""Events are durable when they are answered, count once, and are refused in words if they are about nothing."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.access import keyring
from service.access.keyring import Limits
from service.learning.base import Event
from service.learning.ids import TimeOrderedIds
from service.learning.sqlite.store import SqliteFeedbackStore
from tests.support.collecting import PAGE, TEXTS, collecting
from tests.support.server import Server


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    with collecting(tmp_path_factory.mktemp("feedback"), tiny_checkpoints) as server:
        yield server


def events_of(data: Path) -> list[Event]:
    with closing(SqliteFeedbackStore(data / "learning.db")) as store:
        return list(store.events())


def sent(server: Server, *events: dict[str, Any]) -> list[Event]:
    """The events as they were stored, after the request."""
    before = len(events_of(server.data))
    answer = server.post("/feedback", {"events": list(events)} if len(events) != 1 else events[0])
    assert answer == {"accepted": len(events), "repeated": 0}
    return events_of(server.data)[before:]


def searched(server: Server, **options: Any) -> str:
    identity: str = server.post("/search", {"query": "the day", **options})["search"]
    return identity


def test_an_event_takes_what_it_is_about_from_its_search(service: Server) -> None:
    search = searched(service, user="ann", session="chat")
    (event,) = sent(service, {"search": search, "action": "click", "document": "b"})
    assert (event.query, event.collection, event.documents, event.search) == ("the day", "default", ("b",), search)
    logged = service.get(f"/admin/searches/{search}")
    assert (event.user, event.session, event.key) == (logged["user"], logged["session"], "INSTAR_ADMIN_KEY")
    assert logged["key"] == "INSTAR_ADMIN_KEY"
    assert abs(datetime.now(UTC) - event.at) < timedelta(minutes=1)


def test_events_of_every_kind_are_stored_as_they_were_sent(service: Server) -> None:
    search = searched(service)
    at = "2026-11-28T13:00:00.5+01:00"
    stored = sent(
        service,
        {"search": search, "action": "cite", "documents": ["a", "b", "a"], "id": "mine-1", "at": at},
        {"search": search, "action": "good"},
        {"search": search, "collection": "default", "query": "the day", "action": "bad", "note": "nothing of Sundays"},
        {"search": search, "action": "dwell", "document": "a", "value": 12.5},
        {"query": "elsewhere", "collection": "other", "action": "copy", "document": "x", "user": "ann"},
        {"query": "unheard of", "action": "bad", "search": None, "documents": None},
        {"query": "the day", "action": "shop:add-to_cart.2", "value": 3, "document": "a"},
    )
    assert [event.documents for event in stored] == [("a", "b"), (), (), ("a",), ("x",), (), ("a",)]
    assert (stored[0].id, stored[0].at) == ("mine-1", datetime(2026, 11, 28, 12, 0, 0, 500_000, UTC))
    assert (stored[2].note, stored[3].value, stored[4].collection) == ("nothing of Sundays", 12.5, "other")
    assert len({event.id for event in stored}) == 7


def test_a_document_that_was_shown_may_be_gone_and_one_that_was_not_shown_may_be_there(service: Server) -> None:
    service.put_documents({"gone": "closing the day for good"})
    search = searched(service, k=1, mode="keyword")
    shown = service.get(f"/admin/searches/{search}")["results"][0]["id"]
    not_shown = "c"
    sent(service, {"search": search, "action": "cite", "documents": [shown, not_shown]})
    service.post("/documents/delete", {"ids": [shown]})
    sent(service, {"search": search, "action": "good", "document": shown})
    service.put_documents(TEXTS)


def test_one_event_sent_a_thousand_times_by_16_clients_counts_once(service: Server) -> None:
    search = searched(service)
    event = {"search": search, "action": "click", "document": "a", "id": "the-same"}
    before = len(events_of(service.data))

    def send(_: int) -> tuple[int, int]:
        answer = service.post("/feedback", {"events": [event, event]} if _ % 2 else event)
        return answer["accepted"], answer["repeated"]

    with ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(send, range(666)))
    assert sum(accepted for accepted, _ in answers) == 1
    assert sum(repeated for _, repeated in answers) == 998
    assert len(events_of(service.data)) == before + 1


def test_as_many_events_as_the_limit_are_taken_and_no_more(service: Server) -> None:
    search = searched(service)
    many = [{"search": search, "action": "click", "document": "a", "id": f"many-{n}"} for n in range(1001)]
    refused = service.client.post("/feedback", json={"events": many})
    assert (refused.status_code, refused.json()["error"]["param"]) == (413, "events")
    assert "INSTAR_LIMITS__EVENTS" in refused.text
    assert len(sent(service, *many[:1000])) == 1000
    assert service.post("/feedback", {"events": many[:1000]}) == {"accepted": 0, "repeated": 1000}


LATER = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
# The event, the status, the parameter at fault, and words of the message.
WRONG: list[tuple[dict[str, Any], int, str | None, str]] = [
    ({}, 422, "action", "`action` is missing"),
    ({"action": "good"}, 422, "search", "send the id in the answer of POST /search, or query and document"),
    ({"action": "Good", "query": "q"}, 422, "action", "pattern"),
    ({"action": "", "query": "q"}, 422, "action", "pattern"),
    ({"action": 1, "query": "q"}, 422, "action", "string"),
    ({"action": "x" * 65, "query": "q"}, 422, "action", "pattern"),
    ({"action": "click", "query": "q"}, 422, "document", "click is about a document"),
    ({"action": "cite", "query": "q"}, 422, "document", "cite is about a document"),
    ({"action": "cite", "query": "q", "documents": []}, 422, "documents", "at least 1"),
    ({"action": "cite", "query": "q", "documents": ["a"] * 101}, 422, "documents", "at most 100"),
    ({"action": "good", "query": "q", "document": "a", "documents": ["b"]}, 422, "documents", "leave one of them out"),
    ({"action": "dwell", "query": "q", "document": "a"}, 422, "value", "the seconds of dwell"),
    ({"action": "dwell", "query": "q", "document": "a", "value": -1}, 422, "value", "the seconds of dwell"),
    ({"action": "dwell", "query": "q", "document": "a", "value": 1e9}, 422, "value", "the seconds of dwell"),
    ({"action": "dwell", "query": "q", "document": "a", "value": "3"}, 422, "value", "number"),
    ({"action": "good", "query": "q", "document": "a", "value": 1}, 422, "value", "good has no value"),
    ({"action": "good", "query": "q", "at": LATER}, 422, "at", "in the future"),
    ({"action": "good", "query": "q", "at": "0001-01-01T00:00:00+23:59"}, 422, "at", "before the year 2000"),
    ({"action": "good", "query": "q", "at": "9999-12-31T23:59:59-23:59"}, 422, "at", "in the future"),
    ({"action": "good", "query": "q", "at": "2026-11-28T12:00:00"}, 422, "at", "timezone"),
    ({"action": "good", "query": "q", "at": 1_700_000_000}, 422, "at", "string"),
    ({"action": "good", "query": "q", "at": "yesterday"}, 422, "at", "date"),
    ({"action": "good", "query": " "}, 422, "query", "empty or blank"),
    ({"action": "good", "query": "q" * 10_001}, 413, "query", "cut it"),
    ({"action": "good", "query": "q" * 10_000_000}, 413, "query", "split it"),
    ({"action": "good", "query": "q\0"}, 422, "query", "U+0000"),
    ({"action": "good", "query": "q", "document": "a\0"}, 422, "document", "U+0000"),
    ({"action": "good", "query": "q", "documents": ["a\0"]}, 422, "documents", "U+0000"),
    ({"action": "good", "query": "q", "document": "a" * 600}, 422, "document", "longer than any id"),
    ({"action": "good", "query": "q", "id": "e\0"}, 422, "id", "U+0000"),
    ({"action": "good", "query": "q", "id": ""}, 422, "id", "at least 1"),
    ({"action": "good", "query": "q", "user": "u" * 129}, 422, "user", "at most 128"),
    ({"action": "good", "query": "q", "note": "n" * 1025}, 422, "note", "at most 1024"),
    ({"action": "good", "query": "q", "note": "n" * 10_000_000}, 422, "note", "at most 1024"),
    ({"action": "good", "query": "q", "docid": "a"}, 422, "docid", "there is no `docid`: use `document`"),
    ({"action": "good", "query": "q", "document": "absent"}, 404, "document", "no document 'absent'"),
    ({"action": "good", "query": "q", "document": "x"}, 404, "document", "no document 'x'"),
    ({"action": "good", "query": "q", "collection": "nowhere"}, 404, "collection", "no collection 'nowhere'"),
    ({"action": "good", "search": "mine"}, 404, "search", "its id is `search` in the answer of POST /search"),
    ({"action": "good", "search": "x" * 129}, 422, "search", "at most 128"),
]


@pytest.mark.parametrize(("event", "status", "param", "words"), WRONG)
def test_wrong_events_are_refused_with_the_field_and_what_to_do(
    service: Server, event: dict[str, Any], status: int, param: str | None, words: str
) -> None:
    before = len(events_of(service.data))
    alone = service.client.post("/feedback", json=event)
    assert (alone.status_code, alone.json()["error"]["param"]) == (status, param), alone.text
    assert words in alone.json()["error"]["message"]
    second = service.client.post("/feedback", json={"events": [{"query": "q", "action": "bad"}, event]})
    assert (second.status_code, second.json()["error"]["param"]) == (status, f"events.1.{param}"), second.text
    assert len(events_of(service.data)) == before


RAW = ["", "{", "[]", "null", '"good"', '{"events": []}', '{"events": {}}', '{"events": null}', '{"events": [1]}']
RAW += ['{"action": "good", "query": "\\ud800"}', '{"action": "x", "query": "q", "value": NaN}']
RAW += ['{"action": "x", "query": "q", "value": 1e999}', '{"events": [], "action": "good"}', "[" * 100_000]


@pytest.mark.parametrize("body", RAW)
def test_a_body_that_is_no_event_is_refused(service: Server, body: str) -> None:
    response = service.client.post("/feedback", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422, response.text
    assert response.json()["error"]["type"] == "invalid_request"


def test_a_body_that_is_no_object_is_told_how_to_be_one(service: Server) -> None:
    for body in ([], [{"query": "q", "action": "good"}], "good", 1):
        response = service.client.post("/feedback", json=body)
        assert response.status_code == 422
        assert response.json()["error"]["message"].startswith('wrap the events: send {"events": [...]}')


def test_a_search_that_the_log_has_dropped_is_said_with_the_way_round(service: Server) -> None:
    old = TimeOrderedIds(lambda: 1_700_000_000 * 10**9).new()
    response = service.client.post("/feedback", json={"search": old, "action": "good"})
    assert response.status_code == 404
    assert f"there is no search '{old}': the log keeps a search for 24 hours" in response.text
    assert "send query, collection and document in place of search" in response.text


def test_another_collection_and_another_query_are_not_that_of_the_search(service: Server) -> None:
    search = searched(service)
    for wrong, status, param in (
        ({"collection": "other"}, 404, "search"),
        ({"query": "another"}, 422, "query"),
        ({"document": "x"}, 404, "document"),
    ):
        response = service.client.post("/feedback", json={"search": search, "action": "good", **wrong})
        assert (response.status_code, response.json()["error"]["param"]) == (status, param)


def test_a_form_or_a_beacon_is_not_taken(service: Server) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        body = b'{"query": "q", "action": "good"}'
        assert service.client.post("/feedback", content=body, headers={"Content-Type": kind}).status_code == 422


def test_feedback_needs_a_key_of_its_own_scope_which_opens_nothing_else(service: Server) -> None:
    event = {"query": "the day", "action": "good"}

    def status(key: str | None, path: str = "/feedback", body: object = event) -> int:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=service.client.base_url) as client:
            return client.post(path, json=body, headers=headers).status_code

    assert [status(None), status("data-key"), status("admin-key")] == [401, 403, 200]
    named = keyring.create(service.data / "keys.json", "page", ["feedback"], Limits(requests_per_day=4))
    deadline = datetime.now(UTC) + timedelta(seconds=10)
    while status(named) == 401:
        assert datetime.now(UTC) < deadline
    assert status(named, "/search", {"query": "q"}) == 403
    nowhere = {**event, "collection": "nowhere"}
    with httpx.Client(base_url=service.client.base_url, headers={"Authorization": f"Bearer {named}"}) as client:
        assert "other" not in client.post("/feedback", json=nowhere).json()["error"]["message"]
    assert status(named, "/documents", {"documents": [{"text": "spam"}]}) == 403
    assert [status(named) for _ in range(4)][-1] == 429
    assert events_of(service.data)[-1].key == "page"


def test_a_key_of_any_kind_closes_feedback_to_those_without_one(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    assert keyring.Keyring(path, {}).is_open("feedback")
    assert not keyring.Keyring(path, {}, closed=True).is_open("feedback")
    for scopes in (["admin"], ["embed", "search", "write"]):
        ring = keyring.Keyring(path, {"SOME": ("key", frozenset(scopes))})  # type: ignore[arg-type]
        assert not ring.is_open("feedback")


def test_scripts_of_named_pages_may_send_feedback_and_nothing_else(service: Server) -> None:
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    allowed = service.client.options("/feedback", headers={"Origin": PAGE, **asking})
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == PAGE
    event = {"query": "the day", "action": "good"}
    posted = service.client.post("/feedback", json=event, headers={"Origin": PAGE})
    assert (posted.status_code, posted.headers["Access-Control-Allow-Origin"]) == (200, PAGE)
    for path, origin in (("/search", PAGE), ("/feedback", "https://evil.example"), ("/admin/users/ann", PAGE)):
        refused = service.client.options(path, headers={"Origin": origin, **asking})
        assert "Access-Control-Allow-Origin" not in refused.headers


def test_what_was_acknowledged_survives_kill_9_and_counts_once(tiny_server: Server) -> None:
    server = tiny_server
    server.put_documents(TEXTS)
    acknowledged: set[str] = set()
    for round_ in range(3):
        search = searched(server)
        server.get(f"/admin/searches/{search}")
        tried = [f"{round_}-{number}" for number in range(2000)]
        running = threading.Event()

        def send(client: int, search: str = search, tried: list[str] = tried, running: Any = running) -> None:
            with httpx.Client(base_url=server.client.base_url) as connection:
                for identity in tried[client::8]:
                    event = {"search": search, "action": "click", "document": "b", "id": identity}
                    try:
                        if connection.post("/feedback", json=event).is_success:
                            acknowledged.add(identity)
                            running.set()
                    except httpx.HTTPError:
                        return

        threads = [threading.Thread(target=send, args=(client,)) for client in range(8)]
        for thread in threads:
            thread.start()
        assert running.wait(20)
        threads[0].join(0.3)
        server.kill()
        for thread in threads:
            thread.join()
        server.start()
        # What was under way when it died is sent again, as clients do, and what was acknowledged as well.
        events = [{"search": search, "action": "click", "document": "b", "id": identity} for identity in tried]
        answers = [server.post("/feedback", {"events": events[start : start + 500]}) for start in range(0, 2000, 500)]
        assert sum(answer["repeated"] for answer in answers) >= sum(each in acknowledged for each in tried)
        assert sum(answer["accepted"] + answer["repeated"] for answer in answers) == 2000
    assert len(acknowledged) > 3
    server.stop()
    ids = [event.id for event in events_of(server.data)]
    assert len(ids) == len(set(ids)) == 6000
    with closing(SqliteFeedbackStore(server.data / "learning.db")) as store:
        clicks = {row.document: (row.shown, row.clicked) for row in store.impressions()}
    # One search a round was clicked, however many events say so.
    assert clicks["b"] == (3, 3)
