"""The checker of several replicas finds what they must not do, and nothing in what they may do."""

from collections.abc import Callable
from pathlib import Path

import pytest

from service.checkpoints import checkpoint
from tests.replicas.faults.checker import MENDED_SECONDS, check
from tests.support.oracle import Oracle
from tests.torture.history import Event, History

TEXTS = {"w0-0": "parcel in the drawer", "w0-1": "violin and lantern", "w1-0": "copper from the quarry"}
QUERY = "lantern"
WRITTEN, SWITCHED = 2.0, 6.0


@pytest.fixture(scope="module")
def models(tiny_checkpoints: Path) -> dict[str, str]:
    """The ids of the checkpoints by their names."""
    return {name: checkpoint.read(tiny_checkpoints / name, name).id for name in ("one", "two")}


@pytest.fixture(scope="module")
def oracle(tiny_checkpoints: Path, models: dict[str, str]) -> Oracle:
    return Oracle({identity: tiny_checkpoints / name for name, identity in models.items()})


class Told:
    """A history that is told: three documents are written, then the second model takes the place of the first."""

    def __init__(self, oracle: Oracle, models: dict[str, str]) -> None:
        self.history = History()
        self._oracle = oracle
        self._models = models
        for number, (identity, text) in enumerate(TEXTS.items()):
            writer = f"writer-{identity[1]}"
            self.add("put", writer, 1 + number / 10, {"texts": {identity: text}}, {"ids": [identity]})
        reload = {"checkpoint": models["two"], "generation": 2, "id": "job", "state": "done"}
        self.add("reload", "operator", SWITCHED, {"model": "two"}, reload, start=5.0)
        self.search("replica-1", 3.0, "one")
        self.search("replica-2", 8.0, "two")
        for replica in ("replica-1", "replica-2", "replica-3"):
            self.add("list", "looker", 10.0, {}, dict(TEXTS), replica=replica)

    def add(
        self, kind: str, actor: str, at: float, asked: dict[str, object], answered: dict[str, object], **more: object
    ) -> Event:
        """Add a request that was answered at that time."""
        event = Event(kind, actor, at - 0.05, at, "acknowledged", 200, asked, answered)
        for name, value in more.items():
            setattr(event, name, value)
        return self.history.add(event)

    def search(
        self, replica: str, at: float, model: str, ids: tuple[str, ...] = tuple(TEXTS), **asked: object
    ) -> Event:
        """Add a search, answered by that model with these documents."""
        identity, number = self._models[model], {"one": 1, "two": 2}[model]
        texts = [TEXTS[each] for each in ids]
        scored = zip(ids, texts, self._oracle.scores(identity, QUERY, texts), strict=True)
        results = [list(result) for result in sorted(scored, key=lambda result: -result[2])]
        names = [identity, number]
        answered = {"header": names, "body": names, "results": results}
        actor = str(asked.pop("actor", "searcher-0"))
        return self.add("search", actor, at, {"query": QUERY, "k": 50, **asked}, answered, replica=replica)

    def last(self, kind: str) -> Event:
        return [event for event in self.history.events if event.kind == kind][-1]


@pytest.fixture
def told(oracle: Oracle, models: dict[str, str]) -> Told:
    return Told(oracle, models)


def mix_models(told: Told) -> None:
    told.last("search").answered["results"][0][2] += 0.01


def name_the_former_model_with_the_scores_of_the_later(told: Told) -> None:
    answered = told.search("replica-2", SWITCHED + 0.5, "two").answered
    former = told.search("replica-1", SWITCHED + 0.5, "one").answered
    answered["header"] = answered["body"] = former["body"]


def answer_with_the_former_generation_after_a_second(told: Told) -> None:
    told.search("replica-3", SWITCHED + 1.5, "one")


def answer_with_the_former_generation_a_second_after_another_replica(told: Told) -> None:
    told.search("replica-1", 5.2, "two")
    # The reload itself is not over yet.
    told.search("replica-3", 6.4, "one")


def go_back_to_the_former_generation(told: Told) -> None:
    told.search("replica-1", 5.2, "two")
    told.search("replica-1", 5.4, "one")


def lose_a_write(told: Told) -> None:
    del told.last("list").answered["w0-0"]


def bring_back_what_was_deleted(told: Told) -> None:
    told.add("delete", "writer-0", 8.0, {"ids": ["w0-1"]}, {"deleted": 1})


def not_show_a_write_after_a_second(told: Told) -> None:
    told.search("replica-3", WRITTEN + 1.5, "one", ("w0-0", "w0-1"))


def not_show_a_writer_its_own_write(told: Told) -> None:
    told.search("replica-3", 1.3, "one", ("w0-1",), actor="writer-0", own=True)


def show_half_of_a_write_that_was_not_answered(told: Told) -> None:
    event = told.add("put", "writer-0", 9.0, {"texts": {"w0-0": "half", "w0-1": "done"}}, {})
    event.outcome, event.status = "unknown", 503
    told.add("fault", "nemesis", 9.0, {}, {"kind": "silent", "mended": 1.0})
    told.last("list").answered["w0-0"] = "half"


def answer_no_search(told: Told) -> None:
    event = told.last("search")
    event.status, event.outcome = 503, "unknown"


def break_a_search_after_a_kill(told: Told) -> None:
    event = told.search("replica-1", 9.8, "two")
    event.status, event.outcome = 502, "unknown"
    told.add("fault", "nemesis", 8.5, {}, {"kind": "kill", "mended": 1.0})


def refuse_a_write_without_a_fault(told: Told) -> None:
    event = told.add("put", "writer-0", 9.0, {"texts": {}}, {"error": {"type": "x", "message": "", "param": None}})
    event.status, event.outcome = 503, "unknown"


def break_a_connection(told: Told) -> None:
    event = told.add("put", "writer-0", 9.0, {"texts": {}}, {"error": "reset"})
    event.status, event.outcome = 0, "unknown"


def be_away_for_long(told: Told) -> None:
    told.add("fault", "nemesis", 9.0, {}, {"kind": "stop", "mended": MENDED_SECONDS + 1}, replica="replica-1")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (mix_models, "has"),
        (name_the_former_model_with_the_scores_of_the_later, "has"),
        (answer_with_the_former_generation_after_a_second, "answers; it may be"),
        (answer_with_the_former_generation_a_second_after_another_replica, "answers; it may be"),
        (go_back_to_the_former_generation, "answers; it may be"),
        (lose_a_write, "w0-0 is None and may be"),
        (bring_back_what_was_deleted, "w0-1 is 'violin and lantern' and may be [None]"),
        (not_show_a_write_after_a_second, "w1-0 'copper from the quarry' is missing"),
        (not_show_a_writer_its_own_write, "w0-0 'parcel in the drawer' is missing"),
        (show_half_of_a_write_that_was_not_answered, "half applied"),
        (answer_no_search, "no replica answered"),
        (break_a_search_after_a_kill, "no replica answered"),
        (refuse_a_write_without_a_fault, "status 503 without a fault"),
        (break_a_connection, "broke the connection"),
        (be_away_for_long, "replica-1 was ready"),
    ],
)
def test_the_checker_finds_it(told: Told, oracle: Oracle, harm: Callable[[Told], object], words: str) -> None:
    harm(told)
    violations = check(told.history, oracle)
    assert any(words in violation for violation in violations), violations


def stay_with_the_former_generation_for_a_moment(told: Told) -> None:
    told.search("replica-1", 5.2, "two")
    told.search("replica-3", 5.4, "one")


def show_another_replicas_write_a_little_later(told: Told) -> None:
    told.search("replica-3", 1.3, "one", ("w0-1",))


def be_unsure_of_a_write_that_was_not_answered(told: Told) -> None:
    event = told.add("put", "writer-0", 9.0, {"texts": {"w0-0": "perhaps"}}, {"error": {}})
    event.outcome, event.status = "unknown", 503
    told.add("fault", "nemesis", 9.0, {}, {"kind": "no-answer", "mended": 1.0})


def break_what_a_killed_replica_was_asked(told: Told) -> None:
    event = told.search("replica-1", 9.0, "two")
    event.status, event.outcome = 502, "unknown"
    told.add("fault", "nemesis", 9.0, {}, {"kind": "kill", "mended": 1.0})


@pytest.mark.parametrize(
    "harm",
    [
        lambda _: None,
        stay_with_the_former_generation_for_a_moment,
        show_another_replicas_write_a_little_later,
        be_unsure_of_a_write_that_was_not_answered,
        break_what_a_killed_replica_was_asked,
    ],
)
def test_the_checker_allows_it(told: Told, oracle: Oracle, harm: Callable[[Told], object]) -> None:
    harm(told)
    assert check(told.history, oracle) == []
