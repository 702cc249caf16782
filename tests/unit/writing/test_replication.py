"""A replica tells the others how it is."""

from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from service.cluster.base import ReplicaState
from service.settings.groups import ReplicaSettings
from service.writing.replication import Replication


def reported(**joining: object) -> ReplicaState:
    following: Any = SimpleNamespace(ended=None, changes=None, position=7, age=lambda: 0.0)
    joined: Any = SimpleNamespace(**dict.fromkeys(("missing", "problem", "hindrance", "prepared", "unable")) | joining)
    reports: Any = None
    generations: Any = SimpleNamespace(active=None)
    return Replication(uuid4(), "r", following, joined, reports, generations, ReplicaSettings())._state()


def test_one_that_lacks_a_model_and_cannot_prepare_another_one_gives_the_reason_that_was_asked_for() -> None:
    state = reported(missing="two@1", problem="one@1 cannot be prepared: no room", unable=5)
    assert (state.unable, state.problem) == (5, "one@1 cannot be prepared: no room")


@pytest.mark.parametrize(
    ("joining", "problem"),
    [
        ({}, None),
        ({"problem": "two@1 is damaged"}, "two@1 is damaged"),
        ({"missing": "two@1"}, "two@1 is active, and this replica loads it still"),
        (
            {"missing": "two@1", "problem": "one@1 is damaged"},
            "two@1 is active, and this replica loads it still",
        ),
        (
            {"missing": "two@1", "problem": "two@1 is damaged", "hindrance": "two@1 is damaged"},
            "two@1 is active, and this replica cannot load it: two@1 is damaged",
        ),
    ],
)
def test_one_that_was_asked_for_nothing_says_why_it_is_not_ready(
    joining: dict[str, object], problem: str | None
) -> None:
    assert reported(**joining).problem == problem
