"""The machine that tries to break Instar: a short run of it, and that its checker finds what it should."""

import copy
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.metrics import samples
from tests.support.nursery import Child, Command
from tests.support.server import Server
from tests.torture import feedback_checker, plan, snapshot
from tests.torture.campaign import Campaign, world
from tests.torture.checker import check
from tests.torture.history import Event, History
from tests.torture.plan import Action, Fault, Life, Plan
from tests.torture.shrink import shrink
from tests.torture.world import Episode

pytestmark = pytest.mark.nightly

FAULTS = [
    Fault("kill", after=0.4),
    Fault("kill-at", step="reload.recorded"),
    Fault("kill-at", step="write.committed", passed=3),
    Fault("failing-writes", after=0.2),
    Fault("flip", after=0.5),
    Fault("feedback-full", after=0.3),
    Fault("spoil-feedback", after=0.3),
]


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    folder = tmp_path_factory.mktemp("torture")
    with world(folder) as found:
        yield Campaign(found, folder)


@pytest.fixture(scope="module")
def history(campaign: Campaign, tmp_path_factory: pytest.TempPathFactory) -> History:
    """A history without a violation."""
    drawn = plan.draw(1, FAULTS)
    return Episode(campaign.world, drawn, tmp_path_factory.mktemp("sound") / "run").run()


def test_a_service_that_is_killed_and_whose_disk_fails_keeps_every_promise(
    campaign: Campaign, history: History
) -> None:
    assert check(history, campaign.oracle) == []
    deaths = [event for event in history.events if event.kind == "ended"]
    assert len(deaths) == len(FAULTS) + 1
    assert [event.answered["step"] for event in deaths[1:3]] == ["reload.recorded", "write.committed"]
    acknowledged = Counter(event.kind for event in history.events if event.outcome == "acknowledged")
    assert acknowledged["search"] > 100
    assert min(acknowledged[kind] for kind in ("reranked", "rerank", "reload-reranker")) > 0
    assert min(acknowledged[kind] for kind in ("ask", "feedback", "say", "events", "said", "derived")) > 0


def test_a_full_disk_of_feedback_alone_stops_feedback_and_nothing_else(campaign: Campaign, tmp_path: Path) -> None:
    nursery = campaign.world.nursery

    class OnSuchADisk(Server):
        def _fork(self, command: Command) -> Child:
            return Child(nursery, command | {"step": None, "pass": 0})

    server = OnSuchADisk(tmp_path, MODEL="one")
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(campaign.world.checkpoints["one"])
    event = {"id": "before", "query": "parcel", "action": "bad", "user": "ann"}
    try:
        with server:
            server.put_documents({"a": "parcel", "b": "invoice"})
            assert server.post("/search", {"query": "parcel", "user": "ann"})["search"]
            assert server.post("/feedback", event)["accepted"] == 1
            nursery.control.set_disk("feedback-full")
            refused = server.client.post("/feedback", json=event | {"id": "during"})
            assert (refused.status_code, refused.json()["error"]["type"]) == (503, "insufficient_resources")
            assert "free some room" in refused.json()["error"]["message"]
            assert server.client.delete("/admin/users/ann").status_code == 503
            deadline = time.monotonic() + 20
            while "search" in server.post("/search", {"query": "parcel"}):
                assert time.monotonic() < deadline
            server.put_documents({"c": "drawer"})
            assert len(server.search("parcel")) == 3
            assert len(server.post("/embed", {"inputs": "parcel"})) == 1
            assert samples(server)["instar_search_log_failed"] == [({}, 1)]
            assert "free some room" in server.get("/info")["search_log"]["failure"]
            assert server.client.get("/health").status_code == 200
            nursery.control.set_disk(None)
            assert server.post("/feedback", event | {"id": "after"})["accepted"] == 1
            server.kill()
            rows = snapshot.read(server.data / "learning.db")["events"]
            assert sorted(row["id"] for row in rows) == ["after", "before"]
            server.start()
            assert server.post("/search", {"query": "parcel"})["search"]
            assert server.client.delete("/admin/users/ann").status_code == 200
    finally:
        nursery.control.set_disk(None)


def last(history: History, kind: str) -> Event:
    return [event for event in history.events if event.kind == kind and event.outcome == "acknowledged"][-1]


def unsure(history: History) -> set[str]:
    """Documents of which more than one state may be, because what became of a write to them is not known."""
    writes = [event.asked for event in history.events if event.outcome == "unknown"]
    return {identity for asked in writes for identity in (*asked.get("texts", ()), *asked.get("ids", ()))}


def lose_a_document(history: History) -> None:
    listing = last(history, "list")
    del listing.answered[max(listing.answered.keys() - unsure(history))]


def write_unseen(history: History, kind: str, asked: Callable[[str], dict[str, Any]]) -> None:
    """Have a write to a document that is listed end just before the listing, which does not show it."""
    listing = last(history, "list")
    # Whether a plan leaves one deleted for good, or with two versions, depends on how its actors meet.
    identity = max(listing.answered.keys() - unsure(history))
    before = listing.start - 1e-6
    history.add(Event(kind, "writer-0", before, before, "acknowledged", 200, asked(identity), {}))


def bring_back_a_deleted_document(history: History) -> None:
    write_unseen(history, "delete", lambda identity: {"ids": [identity]})


def show_a_former_version(history: History) -> None:
    write_unseen(history, "put", lambda identity: {"texts": {identity: "parcel newer"}})


def use_another_models_vector(history: History) -> None:
    last(history, "search").answered["results"][0][2] -= 0.01


def leave_out_the_best(history: History) -> None:
    del last(history, "search").answered["results"][0]


def name_another_generation(history: History) -> None:
    found = last(history, "search").answered
    found["header"][1] = found["body"][1] = found["body"][1] + 100


def say_one_thing_in_the_header_and_another_in_the_body(history: History) -> None:
    last(history, "search").answered["header"][1] += 1


def use_another_rerankers_score(history: History) -> None:
    last(history, "reranked").answered["results"][-1][-1] -= 0.01


def score_a_text_by_another_reranker(history: History) -> None:
    last(history, "rerank").answered["scores"][0] += 0.01


def name_another_reranker(history: History) -> None:
    last(history, "reranked").answered["rerankers"] = ["eagle@000000000000"] * 2


def name_one_reranker_in_the_header_and_another_in_the_body(history: History) -> None:
    last(history, "reranked").answered["rerankers"][0] = "eagle@000000000000"


def order_by_the_first_stage(history: History) -> None:
    event = next(
        event
        for event in history.events
        if event.kind == "reranked"
        and event.outcome == "acknowledged"
        and any(earlier[-1] > later[-1] + 0.001 for earlier, later in pairwise(event.answered["results"]))
    )
    event.answered["results"].reverse()


def rerank_other_documents_than_the_nearest(history: History) -> None:
    results = last(history, "reranked").answered["results"]
    results.remove(max(results, key=lambda result: result[2]))


def forget_the_reranker(history: History) -> None:
    """Have a reranked search refused just after one that was answered."""
    event = last(history, "reranked")
    after = event.end + 1e-6
    error = {"error": {"type": "not_found", "message": "no reranker is loaded", "param": "model"}}
    history.add(Event("reranked", "searcher-0", after, after, "refused", 404, event.asked, error))


def answer_with_a_crash(history: History) -> None:
    event = last(history, "search")
    event.status, event.outcome, event.answered = 500, "unknown", {"body": "Internal Server Error"}


def answer_a_pin_with_another_vector(history: History) -> None:
    last(history, "embed").answered["vector"][0] += 0.01


def rows_of(history: History) -> tuple[Event, list[dict[str, Any]]]:
    """The last look at what is stored, and the events of requests whose users were never forgotten."""
    seen = last(history, "events")
    forgotten = {event.asked["user"] for event in history.events if event.kind == "forget"}
    kept = {
        event["id"]
        for request in history.events
        if request.kind == "feedback" and request.outcome == "acknowledged"
        for event in request.asked["events"]
        if not forgotten & set(request.asked["users"])
    }
    return seen, [row for row in seen.answered["events"] if row["id"] in kept]


def lose_an_event(history: History) -> None:
    seen, rows = rows_of(history)
    seen.answered["events"].remove(rows[0])


def store_an_event_twice(history: History) -> None:
    seen, rows = rows_of(history)
    seen.answered["events"].append(rows[0])


def store_an_event_that_nobody_sent(history: History) -> None:
    seen, rows = rows_of(history)
    seen.answered["events"].append(rows[0] | {"id": "nobody's"})


def store_another_event_than_was_sent(history: History) -> None:
    rows_of(history)[1][0]["action"] = "worse"


def forget_in_vain(history: History) -> None:
    """Have a user forgotten just before the look at what is stored, which still has an event."""
    seen, rows = rows_of(history)
    at = seen.start - 1e-6
    asked = {"events": [{"id": rows[0]["id"], "action": rows[0]["action"]}], "users": ["eve"]}
    request = next(
        event
        for event in history.events
        if event.kind == "feedback" and rows[0]["id"] in [content["id"] for content in event.asked["events"]]
    )
    request.asked["users"] = asked["users"]
    history.add(Event("forget", "user-0", at, at, "acknowledged", 200, {"user": "eve"}, {"removed": 1}))


def count_a_click_more(history: History) -> None:
    last(history, "events").answered["clicks"]["parcel|w0-1"] = 1000


def accept_an_event_twice(history: History) -> None:
    seen, rows = rows_of(history)
    for event in list(history.events):
        if event.kind == "feedback" and rows[0]["id"] in [content["id"] for content in event.asked["events"]]:
            at, many = seen.start - 1e-6, len(event.asked["events"])
            answered = {"accepted": many, "repeated": 0}
            for _ in range(2):
                history.add(Event("feedback", "user-0", at, at, "acknowledged", 200, event.asked, answered))
            return


def lose_what_a_person_said(history: History) -> None:
    listing = last(history, "said")
    for event in history.events:
        if event.kind == "say":
            event.outcome = "acknowledged"
    listing.answered.clear()


def derive_something_else(history: History) -> None:
    last(history, "derived").answered["derived"].append(["default", "parcel", "w0-1", True, 1.0, "feedback"])


def not_know_a_search(history: History) -> None:
    struck = min(event.start for event in history.events if event.kind == "fault")
    ask = next(event for event in history.events if event.kind == "ask" and event.answered.get("search"))
    assert ask.end < struck
    ask.asked["user"] = "eve"
    asked = {"events": [{"id": "late", "search": ask.answered["search"], "action": "bad"}], "users": []}
    error = {"error": {"type": "not_found", "message": "there is no search", "param": "events.0.search"}}
    history.add(Event("feedback", "user-0", ask.end, ask.end, "refused", 404, asked, error))


def fail_feedback_without_a_reason(history: History) -> None:
    # The first life is killed and has no other fault, so at its beginning nothing excuses a 503.
    at = next(event.end for event in history.events if event.kind == "ready")
    error = {"error": {"type": "storage_failed", "message": "no", "param": None}}
    history.add(Event("feedback", "user-0", at, at, "unknown", 503, last(history, "feedback").asked, error))


def take_too_long_to_start(history: History) -> None:
    last(history, "ready").end += 1000


def break_a_connection_while_it_lives(history: History) -> None:
    event = next(event for event in history.events if event.actor == "looker" and event.kind == "search")
    ended = [event for event in history.events if event.kind in ("ended", "terminated")]
    for one in ended:
        one.start += 100
        one.end += 100
    event.status, event.outcome, event.answered = 0, "unknown", {"error": "reset"}


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lose_a_document, "may be"),
        (bring_back_a_deleted_document, "may be"),
        (show_a_former_version, "may be"),
        (use_another_models_vector, "has"),
        (leave_out_the_best, "is missing"),
        (name_another_generation, "answers; it may be"),
        (say_one_thing_in_the_header_and_another_in_the_body, "headers say"),
        (use_another_rerankers_score, "has the score"),
        (score_a_text_by_another_reranker, "has the score"),
        (name_another_reranker, "the reranker eagle@000000000000 answers; it may be"),
        (name_one_reranker_in_the_header_and_another_in_the_body, "the header says the reranker"),
        (order_by_the_first_stage, "not in the order"),
        (rerank_other_documents_than_the_nearest, "is missing"),
        (forget_the_reranker, "the reranker none answers; it may be"),
        (answer_with_a_crash, "status 500"),
        (answer_a_pin_with_another_vector, "is not that of"),
        (fail_feedback_without_a_reason, "status 503"),
        (take_too_long_to_start, "it was ready after"),
        (break_a_connection_while_it_lives, "the connection broke"),
    ],
)
def test_the_checker_finds_it(
    campaign: Campaign, history: History, harm: Callable[[History], None], words: str
) -> None:
    harmed = History()
    harmed.events = copy.deepcopy(history.events)
    harm(harmed)
    found = check(harmed, campaign.oracle)
    assert any(words in violation for violation in found), found


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lose_an_event, "is not stored"),
        (store_an_event_twice, "stored 2 times"),
        (store_an_event_that_nobody_sent, "was never sent"),
        (store_another_event_than_was_sent, "was sent as"),
        (forget_in_vain, "was lost or forgotten with ['eve']"),
        (count_a_click_more, "clicks are counted as"),
        (accept_an_event_twice, "were accepted in all"),
        (lose_what_a_person_said, "a person's judgement"),
        (derive_something_else, "derived are"),
        (not_know_a_search, "is not known"),
    ],
)
def test_the_checker_of_feedback_finds_it(history: History, harm: Callable[[History], None], words: str) -> None:
    harmed = History()
    harmed.events = copy.deepcopy(history.events)
    harm(harmed)
    found = feedback_checker.violations(sorted(harmed.events, key=lambda event: event.end))
    assert any(words in violation for _, violation in found), found


def test_the_checker_finds_half_a_write(campaign: Campaign) -> None:
    texts = {"a": "parcel a", "b": "parcel b"}
    made = History()
    made.add(Event("put", "writer", 1, 2, "unknown", 0, {"texts": texts}, {}))
    made.add(Event("ended", "nemesis", 1.5, 2, "acknowledged", 0, {}, {"status": -9, "step": ""}))
    made.add(Event("list", "looker", 3, 4, "acknowledged", 200, {}, {"a": "parcel a"}))
    assert any("half applied" in violation for violation in check(made, campaign.oracle))
    made.events[-1].answered["b"] = "parcel b"
    assert check(made, campaign.oracle) == []


def test_the_checker_finds_half_a_request_of_events(campaign: Campaign) -> None:
    sent = [{"id": identity, "action": "bad", "query": "parcel"} for identity in "ab"]
    rows: list[dict[str, Any]] = [
        {"id": event["id"], "action": "bad", "documents": [], "search": None} for event in sent
    ]
    made = History()
    made.add(Event("feedback", "user-0", 1, 2, "unknown", 0, {"events": sent, "users": []}, {}))
    made.add(Event("ended", "nemesis", 1.5, 2, "acknowledged", 0, {}, {"status": -9, "step": ""}))
    seen = made.add(Event("events", "nemesis", 3, 4, "acknowledged", 0, {}, {"events": rows[:1], "clicks": {}}))
    assert any("of its events only ['a'] are stored" in violation for violation in check(made, campaign.oracle))
    for whole in ([], rows):
        seen.answered["events"] = whole
        assert check(made, campaign.oracle) == []


def test_the_checker_finds_a_hole_in_what_a_lost_log_has_left(campaign: Campaign) -> None:
    made = History()
    for number, identity in enumerate("abc"):
        texts = {identity: f"parcel {identity}"}
        made.add(Event("put", "writer", number, number + 0.5, "acknowledged", 200, {"texts": texts}, {}))
    left = made.add(Event("list-after-loss", "looker", 5, 6, "acknowledged", 200, {}, {"a": "parcel a"}))
    assert check(made, campaign.oracle) == []
    left.answered["c"] = "parcel c"
    assert any("was lost, and event" in violation for violation in check(made, campaign.oracle))


def test_a_failing_plan_is_shrunk_to_what_fails() -> None:
    drawn = plan.draw(7, [Fault("kill", after=number / 10) for number in range(6)])
    guilty = Action("delete", 0.0, {"ids": ["guilty"]})
    lives = [*drawn.lives[:3], Life(drawn.lives[3].fault, {**drawn.lives[3].actions, "writer-0": [guilty]})]
    whole = Plan(7, [*lives, *drawn.lives[4:]])

    def fails(candidate: Plan) -> bool:
        return any(guilty in actions for life in candidate.lives for actions in life.actions.values())

    small = shrink(whole, fails, 400)
    assert len(small.lives) == 1
    assert [action for actions in small.lives[0].actions.values() for action in actions] == [guilty]


def test_a_plan_follows_from_its_seed() -> None:
    assert plan.draw(3, plan.random_faults(3, 5)) == plan.draw(3, plan.random_faults(3, 5))
    assert plan.draw(3, FAULTS) != plan.draw(4, FAULTS)
