"""The line of stages, the drawing of latencies, and what a checkpoint says of itself."""

from typing import Any

import pytest

from service.console.screens.checkpoints import origin, users
from service.console.screens.models import drawing, phase, steps


def job(**changes: Any) -> dict[str, Any]:
    return {"state": "running", "stage": "embed", "kind": "dense", "shadow": None} | changes


def test_stages_are_over_under_way_or_to_come() -> None:
    states = {step.word: step.state for step in steps(job())}
    assert [*states] == ["verify", "load", "try", "room", "embed", "index", "judge", "put live"]
    assert [states[word] for word in ("room", "embed", "index")] == ["over", "now", "to come"]
    assert {step.state for step in steps(job(stage="queued"))} == {"to come"}


def test_a_shadow_and_a_reranker_have_stages_of_their_own() -> None:
    assert "shadow" in [step.word for step in steps(job(shadow=0.1))]
    assert [step.word for step in steps(job(kind="reranker", stage="judge"))] == [
        "verify",
        "load",
        "try",
        "judge",
        "put live",
    ]


@pytest.mark.parametrize(
    ("state", "stage", "expected"),
    [
        ("queued", "queued", "building"),
        ("running", "shadow", "shadow"),
        ("running", "activate", "building"),
        ("done", "ended", "ended"),
    ],
)
def test_a_phase_says_what_can_be_done(state: str, stage: str, expected: str) -> None:
    assert phase(job(state=state, stage=stage)) == expected


def test_a_drawing_has_a_point_for_each_duration() -> None:
    assert drawing([0.01, None, 0.02]) == "0,12 120,2"
    assert drawing([]) == ""
    assert drawing([0.0]) == "0,22"


def test_users_of_a_checkpoint_are_named() -> None:
    generations: list[dict[str, Any]] = [
        {"generation": 3, "state": "active", "model": "tuned@2"},
        {"generation": 1, "state": "released", "model": "tuned@2"},
        {"generation": None, "state": "building", "model": "tuned", "job": "0b"},
        {"generation": 2, "state": "retained", "model": "base@1"},
    ]
    checkpoint = {"name": "tuned", "model": "tuned@2"}
    assert users(checkpoint, generations, None) == ["generation 3", "the reload under way"]
    assert users(checkpoint, [], {"model": "tuned@2"}) == ["the reranker"]
    assert users({"name": "torn"}, generations, None) == []


def test_a_lineage_is_read_as_the_trainer_writes_it() -> None:
    lineage = {
        "base": {"id": "base@1", "digest": "d"},
        "data": {"queries": {"train": 302, "test": 60}},
        "verdict": {"outcome": "PROMOTE", "rules": [{"reason": "it gains", "passed": True}]},
    }
    described = origin(lineage)
    assert (described["base"], described["queries"], described["verdict"]) == ("base@1", 302, "PROMOTE")
    assert described["rules"][0]["reason"] == "it gains"


@pytest.mark.parametrize(
    "lineage",
    [
        {},
        {"base": "x", "data": [], "verdict": "<b>"},
        {"verdict": {"rules": "no"}},
        {"verdict": {"rules": [1]}},
    ],
)
def test_a_lineage_of_any_shape_is_no_error(lineage: dict[str, Any]) -> None:
    assert origin(lineage)["rules"] == []
