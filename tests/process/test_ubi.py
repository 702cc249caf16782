"""What collectors of User Behavior Insights send is kept as searches and feedback, under the conditions of feedback."""

import json
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
from service.learning.base import Derived, Event, LoggedSearch
from service.learning.derive import derive
from service.learning.ids import made
from service.learning.sqlite.store import SqliteFeedbackStore
from tests.support import ubi_payloads as ubi
from tests.support.collecting import PAGE, TEXTS, collecting
from tests.support.server import Server
from trainer.data import formats

JSON, LINES = "application/json", "application/x-ndjson"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    with collecting(
        tmp_path_factory.mktemp("ubi"), tiny_checkpoints, SEARCHES__KEEP="all", SEARCHES__DAYS=36_500
    ) as server:
        yield server


def sent(server: Server, path: str, body: str, kind: str = JSON, **parameters: str) -> dict[str, int]:
    headers = {"Content-Type": kind}
    response = server.client.post(f"/ubi/{path}", content=body, headers=headers, params=parameters)
    assert response.is_success, response.text
    answer: dict[str, int] = response.json()
    return answer


def refused(server: Server, path: str, row: Any, **parameters: str) -> tuple[int, str | None, str]:
    response = server.client.post(f"/ubi/{path}", json=row, params=parameters)
    error = response.json()["error"]
    return response.status_code, error["param"], error["message"]


def events_of(server: Server) -> list[Event]:
    with closing(SqliteFeedbackStore(server.data / "learning.db")) as store:
        return list(store.events())


def search_of(server: Server, identity: str) -> LoggedSearch | None:
    with closing(SqliteFeedbackStore(server.data / "learning.db")) as store:
        return store.named([identity]).get(identity)


def renamed(body: str, name: str) -> str:
    """The body with a `query_id` of its own."""
    return body.replace(ubi.QUERY_ID, name)


@pytest.mark.parametrize("body", [ubi.PLUGIN_QUERY, ubi.INDEXED_QUERY])
def test_a_query_of_the_plugin_is_kept_as_a_search_that_its_query_id_names(service: Server, body: str) -> None:
    name = f"any text {hash(body)}"
    assert sent(service, "queries", renamed(body, name)) == {"accepted": 1, "repeated": 0}
    assert sent(service, "queries", renamed(body, name)) == {"accepted": 0, "repeated": 1}
    kept = service.get(f"/admin/searches/{name}")
    assert made(kept["id"]) is not None
    assert service.get(f"/admin/searches/{kept['id']}") == kept
    assert (kept["query_id"], kept["query"], kept["collection"], kept["mode"]) == (name, ubi.ASKED, "default", "ubi")
    assert (kept["generation"], kept["key"], kept["at"]) == (0, "INSTAR_ADMIN_KEY", "2026-11-28T10:20:30.456000Z")
    assert [(result["id"], result["rank"]) for result in kept["results"]] == [("a", 1), ("b", 2), ("c", 3)]
    assert service.get("/admin/searches")["searches"][0] == kept
    assert kept not in service.get("/admin/searches", params={"cursor": kept["id"]})["searches"]


def test_an_event_of_the_browser_finds_its_query_and_counts_once(service: Server) -> None:
    name = "an event of the browser"
    sent(service, "queries", renamed(ubi.PLUGIN_QUERY, name))
    search = search_of(service, name)
    assert search is not None
    before = len(events_of(service))
    click = renamed(ubi.JAVASCRIPT_CLICK, name)
    assert sent(service, "events", click) == {"accepted": 1, "repeated": 0, "ignored": 0}
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: sent(service, "events", click), range(100)))
    assert {(answer["accepted"], answer["repeated"]) for answer in answers} == {(0, 1)}
    (event,) = events_of(service)[before:]
    assert (event.action, event.documents, event.search) == ("click", ("b",), search.id)
    assert (event.query, event.collection, event.note) == (ubi.ASKED, "default", None)
    assert (event.user, event.at.isoformat()) == (search.user, "2026-11-28T10:20:39.120000+00:00")
    assert event.session is not None


def test_one_query_from_16_clients_at_once_is_kept_once(service: Server) -> None:
    body = renamed(ubi.JAVASCRIPT_QUERY, "from 16 clients")
    with ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(lambda _: sent(service, "queries", body), range(200)))
    assert sum(answer["accepted"] for answer in answers) == 1
    assert sum(answer["repeated"] for answer in answers) == 199


def test_a_search_of_instar_is_named_by_its_id(service: Server) -> None:
    search = service.post("/search", {"query": "the day", "user": "ann"})["search"]
    assert sent(service, "events", renamed(ubi.JAVASCRIPT_CLICK, search))["accepted"] == 1
    assert (events_of(service)[-1].search, events_of(service)[-1].query) == (search, "the day")
    again = json.dumps({"query_id": search, "user_query": "the day"})
    assert sent(service, "queries", again) == {"accepted": 0, "repeated": 1}
    assert service.get(f"/admin/searches/{search}")["mode"] == "dense"


def test_feedback_names_a_query_of_ubi_as_well(service: Server) -> None:
    sent(service, "queries", renamed(ubi.PLUGIN_QUERY, "for feedback"))
    service.post("/feedback", {"search": "for feedback", "action": "good", "document": "c"})
    search = search_of(service, "for feedback")
    assert search is not None
    assert events_of(service)[-1].search == search.id


def test_actions_mean_what_they_mean_to_feedback(service: Server) -> None:
    sent(service, "queries", renamed(ubi.PLUGIN_QUERY, "actions"))
    actions = {"Click": "click", "purchase": "copy", "thumbs_up": "good", "dislike": "bad", "cite": "cite"}
    actions |= {"add_to_cart": "copy", "watch": "click", "like": "good", "View": "View", "impression": "impression"}
    rows = [ubi.javascript_event(name, "b", 2, query_id="actions") for name in actions]
    dwell = ubi.javascript_event("dwell", "b", 2, query_id="actions")
    dwell["event_attributes"]["dwell_time"] = 12.5
    before = len(events_of(service))
    assert sent(service, "events", json.dumps([*rows, dwell]))["accepted"] == 11
    stored = events_of(service)[before:]
    assert [event.action for event in stored] == [*actions.values(), "dwell"]
    assert [event.value for event in stored[-2:]] == [2, 12.5]
    assert [event.note for event in stored if event.note] == [
        f"{name} on b" for name in ("thumbs_up", "dislike", "like")
    ]


def test_what_is_about_no_document_or_no_search_is_kept_or_passed_over(service: Server) -> None:
    sent(service, "queries", renamed(ubi.PLUGIN_QUERY, "about pages"))
    before = len(events_of(service))
    assert sent(service, "events", renamed(ubi.PAGE_EXIT, "about pages"))["accepted"] == 1
    typed = ubi.javascript_event("brand_filter", "OBJECT-77a6505e", -1, query_id="about pages")
    assert sent(service, "events", json.dumps([typed, *json.loads(ubi.HOVER)])) == {
        "accepted": 1,
        "repeated": 0,
        "ignored": 1,
    }
    stored = events_of(service)[before:]
    assert [(event.action, event.documents) for event in stored] == [("page_exit", ()), ("brand_filter", ())]


def test_an_event_without_a_time_happened_now(service: Server) -> None:
    sent(service, "queries", renamed(ubi.PLUGIN_QUERY, "typed"))
    assert sent(service, "events", renamed(ubi.TYPED_CLICK, "typed"))["accepted"] == 1
    assert abs(datetime.now(UTC) - events_of(service)[-1].at) < timedelta(minutes=1)


def test_an_event_of_a_query_that_is_not_known_goes_by_its_text(service: Server) -> None:
    event = ubi.javascript_event("like", "x", 1, query_id="never sent", user_query=" elsewhere ")
    assert sent(service, "events", json.dumps(event), collection="other")["accepted"] == 1
    stored = events_of(service)[-1]
    assert (stored.query, stored.collection, stored.search) == ("elsewhere", "other", None)


def test_the_collection_is_that_of_the_query_or_else_of_the_address(service: Server) -> None:
    by_address = json.dumps({"user_query": "q", "query_id": "by address", "query_response_hit_ids": ["x"]})
    sent(service, "queries", by_address, collection="other")
    attributes = {"collection": "other", "page": 1}
    named = {"user_query": "q", "query_id": "named", "query_response_hit_ids": ["x"], "query_attributes": attributes}
    sent(service, "queries", json.dumps(named), collection="default")
    for name in ("by address", "named"):
        assert service.get(f"/admin/searches/{name}")["collection"] == "other"
        click = ubi.javascript_event("click", "x", 1, query_id=name)
        assert sent(service, "events", json.dumps(click))["accepted"] == 1
        assert events_of(service)[-1].collection == "other"
        assert refused(service, "events", click, collection="default")[:2] == (404, "query_id")


def test_documents_that_are_gone_leave_their_ranks(service: Server) -> None:
    row = {"user_query": "q", "query_id": "gone", "query_response_hit_ids": ["was here", 7, "b", "b", "a"]}
    sent(service, "queries", json.dumps(row))
    search = search_of(service, "gone")
    assert search is not None
    assert [(result.document, result.rank) for result in search.results] == [("b", 3), ("a", 5)]


def test_lines_and_files_of_bulk_are_read(service: Server) -> None:
    assert sent(service, "queries", ubi.bulk("ubi_queries", ubi.asked(1), ubi.asked(2)), LINES)["accepted"] == 2
    events = [ubi.seen("a", 0, 1), ubi.seen("b", 1, 1), ubi.seen("b", 1, 1, "click")]
    assert sent(service, "events", ubi.bulk("ubi_events", *events), LINES)["accepted"] == 3
    assert sent(service, "events", "\n".join(map(json.dumps, events)), LINES)["repeated"] == 3
    response = service.client.post(
        "/ubi/events", content=ubi.bulk("ubi_events", events[0], {"a": 1}), headers={"Content-Type": LINES}
    )
    assert (response.status_code, response.json()["error"]["param"]) == (422, "line 4.action_name")


def test_nameless_queries_count_once_and_keep_their_impressions(service: Server) -> None:
    row = json.dumps({"user_query": "nameless", "query_response_hit_ids": ["a"]})
    assert sent(service, "queries", row)["accepted"] == 1
    assert sent(service, "queries", row)["repeated"] == 1
    with closing(SqliteFeedbackStore(service.data / "learning.db")) as store:
        assert [(one.document, one.shown) for one in store.impressions() if one.query == "nameless"] == [("a", 1)]


def test_a_user_is_forgotten_by_both_names(service: Server) -> None:
    sent(service, "queries", renamed(ubi.PLUGIN_QUERY.replace(ubi.CLIENT, "bea's browser"), "of bea"))
    click = renamed(ubi.JAVASCRIPT_CLICK.replace(ubi.CLIENT, "bea's browser"), "of bea")
    sent(service, "events", click.replace('"user_id": ""', '"user_id": "bea"'))
    assert service.client.delete("/admin/users/bea").json() == {"removed": 1}
    assert service.client.delete("/admin/users/bea's browser").json() == {"removed": 1}
    assert search_of(service, "of bea") is None


def judged(derived: list[Derived]) -> set[tuple[str, str, bool, float, str]]:
    return {(one.query, one.document, one.good, round(one.weight, 9), one.source) for one in derived}


def test_the_service_and_the_trainer_judge_equally(tiny_server: Server, tmp_path: Path) -> None:
    rows = [
        json.loads(line) for line in (Path(__file__).parents[1] / "support/data/ubi.jsonl").read_text().splitlines()
    ]
    queries = [row for row in rows if "action_name" not in row]
    queries += [ubi.asked(number) for number in range(20)]
    queries += [{"user_query": "thumbs", "query_id": "thumbs", "client_id": "me", "query_response_hit_ids": ["long"]}]
    events = [row for row in rows if "action_name" in row]
    for number in range(20):
        places = enumerate(("long", "other", "short"))
        events += [ubi.seen(document, place, number) for place, document in places]
        events += [ubi.seen("short", 2, number, "click")] if number % 2 else []
    thumb = ubi.javascript_event("thumbs_up", "short", 1, query_id="thumbs")
    events += [thumb, thumb | {"user_id": "u", "timestamp": 1724944081669}, thumb | {"action_name": "purchase"}]
    events += [thumb | {"action_name": "dislike", "query_id": "unknown", "user_query": "thumbs", "user_id": "v"}]
    events += [thumb | {"action_name": "page_exit"}]

    corpus = Path(__file__).parents[1] / "support/data/docsgpt_corpus.jsonl"
    documents = [json.loads(line) for line in corpus.read_text().splitlines()]
    tiny_server.put_documents({document["_id"]: document["text"] for document in documents})
    assert sent(tiny_server, "queries", json.dumps(queries))["accepted"] == len(queries)
    assert sent(tiny_server, "events", "\n".join(map(json.dumps, events)), LINES)["accepted"] == len(events)
    tiny_server.stop()
    with closing(SqliteFeedbackStore(tiny_server.data / "learning.db")) as store:
        by_service = judged(derive(store.events(), store.impressions()))

    (tmp_path / "ubi.jsonl").write_text("\n".join(map(json.dumps, [*events, *queries])))
    dataset = formats.load(tmp_path / "ubi.jsonl", "ubi", skip_bad=False, corpus=corpus).dataset
    by_trainer = {
        (dataset.queries[one.query], one.document, one.good, round(one.weight, 9), one.source)
        for one in dataset.judgements
    }
    assert by_trainer == by_service
    assert {query for query, *_ in by_service} == {"How do I move a byre?", ubi.ASKED, "thumbs"}
    assert {source for *_, source in by_service} == {"click", "feedback"}


def test_without_kept_searches_queries_are_refused_and_events_go_by_their_text(
    tmp_path: Path, tiny_checkpoints: Path
) -> None:
    server = Server(tmp_path, MODEL="one", SEARCHES__KEEP="off")
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server:
        server.put_documents(TEXTS)
        status, _, message = refused(server, "queries", json.loads(ubi.PLUGIN_QUERY))
        assert (status, "INSTAR_SEARCHES__KEEP" in message) == (409, True)
        assert sent(server, "events", json.dumps(ubi.javascript_event("like", "a", 1, user_query="q")))["accepted"] == 1


def test_collectors_need_the_scope_of_feedback_and_pages_their_origin(service: Server) -> None:
    def status(key: str | None, path: str) -> int:
        headers = {"Content-Type": JSON} | ({} if key is None else {"Authorization": f"Bearer {key}"})
        with httpx.Client(base_url=service.client.base_url) as client:
            return client.post(f"/ubi/{path}", content=ubi.JAVASCRIPT_QUERY, headers=headers).status_code

    assert [status(key, "queries") for key in (None, "data-key", "admin-key")] == [401, 403, 200]
    assert [status(key, "events") for key in (None, "data-key", "admin-key")] == [401, 403, 422]
    token = keyring.create(service.data / "keys.json", "page", ["feedback"], Limits(requests_per_day=3))
    deadline = datetime.now(UTC) + timedelta(seconds=10)
    while (answer := status(token, "queries")) == 401:
        assert datetime.now(UTC) < deadline
    assert [answer, status(token, "queries"), status(token, "queries"), status(token, "queries")][-1] == 429
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    for path in ("queries", "events"):
        allowed = service.client.options(f"/ubi/{path}", headers={"Origin": PAGE, **asking})
        assert allowed.headers["Access-Control-Allow-Origin"] == PAGE
        other = service.client.options(f"/ubi/{path}", headers={"Origin": "https://evil.example", **asking})
        assert "Access-Control-Allow-Origin" not in other.headers


LATER = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
OBJECT = "event_attributes.object.object_id"


def click(**more: Any) -> dict[str, Any]:
    return {"action_name": "click", "user_query": "q", "event_attributes": {"object": {"object_id": "a"}}, **more}


def about(value: Any) -> dict[str, Any]:
    return {"event_attributes": {"object": {"object_id": value}}}


# The object, the status, the field at fault, and words of the message.
WRONG_QUERIES: list[tuple[Any, int, str | None, str]] = [
    ({}, 422, "user_query", "`user_query` is missing"),
    ({"user_query": None}, 422, "user_query", "missing"),
    ({"user_query": ""}, 422, "user_query", "missing"),
    ({"user_query": " "}, 422, "user_query", "at least 1 character"),
    ({"user_query": 3}, 422, "user_query", "string"),
    ({"user_query": "q\0"}, 422, "user_query", "U+0000"),
    ({"user_query": "q" * 10_001}, 413, "user_query", "cut it"),
    ({"user_query": "q" * 10_000_000}, 413, "user_query", "split it"),
    ({"user_query": "q", "query_id": 3}, 422, "query_id", "string"),
    ({"user_query": "q", "query_id": "i" * 101}, 422, "query_id", "at most 100"),
    ({"user_query": "q", "query_id": "i\0"}, 422, "query_id", "U+0000"),
    ({"user_query": "q", "client_id": "i" * 101}, 422, "client_id", "at most 100"),
    ({"user_query": "q", "timestamp": LATER}, 422, "timestamp", "timestamp is in the future"),
    ({"user_query": "q", "timestamp": 4_000_000_000_000}, 422, "timestamp", "in the future"),
    ({"user_query": "q", "timestamp": "1999-12-31T23:59:59Z"}, 422, "timestamp", "before the year 2000"),
    ({"user_query": "q", "timestamp": "yesterday"}, 422, "timestamp", "datetime"),
    ({"user_query": "q", "timestamp": True}, 422, "timestamp", "datetime"),
    ({"user_query": "q", "timestamp": 10**300}, 422, "timestamp", "datetime"),
    ({"user_query": "q", "query_attributes": []}, 422, "query_attributes", "dictionary"),
    ({"user_query": "q", "query_attributes": {"collection": 3}}, 422, "query_attributes.collection", "string"),
    (
        {"user_query": "q", "query_attributes": {"collection": "no"}},
        404,
        "query_attributes.collection",
        "no collection",
    ),
    ({"user_query": "q", "query_response_hit_ids": "a"}, 422, "query_response_hit_ids", "list"),
    ({"user_query": "q", "query_response_hit_ids": [None]}, 422, "query_response_hit_ids.0", "string"),
    ({"user_query": "q", "query_response_hit_ids": ["9"]}, 404, "query_response_hit_ids", "no document '9'"),
    ({"user_query": "q", "query_response_hit_ids": ["x"]}, 404, "query_response_hit_ids", "no document 'x'"),
    (click(), 422, "action_name", "send it to POST /ubi/events"),
]
WRONG_EVENTS: list[tuple[Any, int, str | None, str]] = [
    ({}, 422, "action_name", "`action_name` is missing"),
    ({"user_query": "q"}, 422, "action_name", "missing"),
    (click(action_name=3), 422, "action_name", "string"),
    (click(action_name="a" * 101), 422, "action_name", "at most 100"),
    (click(action_name="view\0"), 422, "action_name", "U+0000"),
    (click(user_query=None), 422, "query_id", "query_id is missing: click is about an answer"),
    (click(user_query=None, query_id="unknown"), 404, "query_id", "send it to POST /ubi/queries first"),
    (click(user_query=None, query_id="unknown", action_name="view"), 404, "query_id", "no query 'unknown'"),
    (click(query_id="i" * 101), 422, "query_id", "at most 100"),
    (click(query_id="i\0"), 422, "query_id", "U+0000"),
    (click(user_query="q\0"), 422, "user_query", "U+0000"),
    (click(user_query="q" * 10_001), 413, "user_query", "cut it"),
    (click(message="m" * 1025), 422, "message", "at most 1024"),
    (click(message="m" * 10_000_000), 422, "message", "at most 1024"),
    (click(timestamp=LATER), 422, "timestamp", "in the future"),
    (click(timestamp=1), 422, "timestamp", "before the year 2000"),
    (click(timestamp=[]), 422, "timestamp", "datetime"),
    (click(event_attributes=[]), 422, "event_attributes", "dictionary"),
    (click(event_attributes={}), 422, OBJECT, "is missing: click is about a document"),
    (click(event_attributes={"position": 3, "object": {"object_id": "a"}}), 422, "event_attributes.position", "dict"),
    (click(**about(None)), 422, OBJECT, "is missing"),
    (click(**about(True)), 422, OBJECT, "string"),
    (click(**about("a" * 257)), 422, OBJECT, "at most 256"),
    (click(**about("a\0")), 422, OBJECT, "U+0000"),
    (click(**about(7)), 404, OBJECT, "no document '7'"),
    (click(**about("x")), 404, OBJECT, "no document 'x'"),
    (click(action_name="dwell"), 422, "event_attributes.dwell_time", "must be the seconds of dwell"),
    (click(extra=json.loads('{"a":' * 400 + "1" + "}" * 400)), 422, None, "nested"),
]


@pytest.mark.parametrize(
    ("path", "row", "status", "param", "words"),
    [("queries", *wrong) for wrong in WRONG_QUERIES] + [("events", *wrong) for wrong in WRONG_EVENTS],
)
def test_wrong_rows_are_refused_with_the_field_and_what_to_do(
    service: Server, path: str, row: Any, status: int, param: str | None, words: str
) -> None:
    before, kept = len(events_of(service)), service.get("/admin/searches")["searches"][0]
    answered = refused(service, path, row)
    assert answered[:2] == (status, param), answered[2][:200]
    assert words in answered[2]
    sound = {"user_query": "sound"} if path == "queries" else click(action_name="like", **about("b"))
    second = refused(service, path, [sound, row])
    assert second[:2] == (status, None if param is None else f"1.{param}"), second[2][:200]
    assert len(events_of(service)) == before
    assert service.get("/admin/searches")["searches"][0] == kept


def test_a_query_id_stands_for_one_query(service: Server) -> None:
    sent(service, "queries", renamed(ubi.PLUGIN_QUERY, "one query"))
    other = {"user_query": "another", "query_id": "one query"}
    status, param, message = refused(service, "queries", [{"user_query": "sound"}, other])
    assert (status, param) == (422, "1.user_query")
    assert "the query_id 'one query' stands for another user_query" in message
    assert (
        refused(service, "queries", [{"user_query": "sound", "query_id": "x y"}, {**other, "query_id": "x y"}])[0]
        == 422
    )
    assert search_of(service, "x y") is None


def test_as_many_as_the_limit_are_taken_and_no_more(service: Server) -> None:
    events = [click(client_id=f"many-{number}") for number in range(1001)]
    assert refused(service, "events", events)[0] == 413
    assert refused(service, "queries", [{"user_query": "q"}] * 1001)[0] == 413
    assert sent(service, "events", json.dumps(events[:1000]))["accepted"] == 1000
    queries = [{"user_query": "q", "query_id": f"many-{number}"} for number in range(1000)]
    assert sent(service, "queries", json.dumps(queries)) == {"accepted": 1000, "repeated": 0}


RAW = ["", "{", "[]", "null", '"click"', "[null]", "[[]]", "[1]", '{"user_query": "\\ud800", "action_name": "click"}']
RAW += ['{"action_name": "click", "user_query": NaN}', "[" * 100_000, "\xff"]


@pytest.mark.parametrize("kind", [JSON, LINES])
@pytest.mark.parametrize("path", ["queries", "events"])
@pytest.mark.parametrize("body", RAW)
def test_a_body_that_has_no_row_is_refused(service: Server, body: str, path: str, kind: str) -> None:
    response = service.client.post(f"/ubi/{path}", content=body.encode("latin-1"), headers={"Content-Type": kind})
    assert response.status_code == 422, response.text
    assert response.json()["error"]["type"] == "invalid_request"


def test_a_form_or_a_beacon_is_not_taken(service: Server) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        for path in ("queries", "events"):
            response = service.client.post(f"/ubi/{path}", content=ubi.JAVASCRIPT_QUERY, headers={"Content-Type": kind})
            assert response.status_code == 422


def test_what_was_acknowledged_survives_kill_9(tiny_server: Server) -> None:
    tiny_server.put_documents(TEXTS)
    sent(tiny_server, "queries", ubi.PLUGIN_QUERY)
    sent(tiny_server, "events", ubi.JAVASCRIPT_CLICK)
    tiny_server.kill()
    tiny_server.start()
    assert sent(tiny_server, "queries", ubi.PLUGIN_QUERY) == {"accepted": 0, "repeated": 1}
    assert sent(tiny_server, "events", ubi.JAVASCRIPT_CLICK) == {"accepted": 0, "repeated": 1, "ignored": 0}
