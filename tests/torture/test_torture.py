"""The machine that tries to break Instar: a short run of it, and that its checker finds what it should."""

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from tests.torture import plan
from tests.torture.campaign import Campaign, world
from tests.torture.checker import check
from tests.torture.history import Event, History
from tests.torture.plan import Action, Fault, Life, Plan
from tests.torture.shrink import shrink
from tests.torture.world import Episode

FAULTS = [
    Fault("kill", after=0.4),
    Fault("kill-at", step="reload.recorded"),
    Fault("kill-at", step="write.committed", passed=3),
    Fault("failing-writes", after=0.2),
    Fault("flip", after=0.5),
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


def test_the_checker_finds_half_a_write(campaign: Campaign) -> None:
    texts = {"a": "parcel a", "b": "parcel b"}
    made = History()
    made.add(Event("put", "writer", 1, 2, "unknown", 0, {"texts": texts}, {}))
    made.add(Event("ended", "nemesis", 1.5, 2, "acknowledged", 0, {}, {"status": -9, "step": ""}))
    made.add(Event("list", "looker", 3, 4, "acknowledged", 200, {}, {"a": "parcel a"}))
    assert any("half applied" in violation for violation in check(made, campaign.oracle))
    made.events[-1].answered["b"] = "parcel b"
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
