"""What the screens of quality and of saved questions make of answers of the API."""

from typing import Any

import pytest

from service.console.screens.quality import latest_of, series, unanswered
from service.console.screens.questions import change, usual_ways


def point(generation: int, at: str, ndcg: float, mode: str = "dense", interval: Any = None) -> dict[str, Any]:
    figures = {"ndcg": ndcg, "ndcg_interval": interval, "recall": ndcg, "recall_interval": None, "queries": 3}
    return {"generation": generation, "model": f"m@{generation}", "at": at, "mode": mode, "figures": figures}


POINTS = [
    point(1, "1970-01-01T00:00:10Z", 0.5, interval=[0.4, 0.6]),
    point(2, "1970-01-01T00:00:20Z", 0.7),
    point(1, "1970-01-01T00:00:30Z", 0.6),
    point(1, "1970-01-01T00:00:40Z", 0.9, mode="hybrid"),
]


def test_each_generation_is_a_line_of_one_mode() -> None:
    first, second = series(POINTS, "dense")
    assert (first["generation"], first["at"]) == (1, [10.0, 30.0])
    assert first["ndcg"] == [[0.5, 0.4, 0.6], [0.6, None, None]]
    assert second["recall"] == [[0.7, None, None]]
    assert series(POINTS, "keyword") == []


def test_the_last_point_of_each_generation_counts_the_newest_first() -> None:
    assert [(one["generation"], one["figures"]["ndcg"]) for one in latest_of(POINTS, "dense")] == [(2, 0.7), (1, 0.6)]


def test_a_question_that_was_asked_once_or_answered_well_is_not_unanswered() -> None:
    asked = [
        {"query": query, "searches": count, "good": good}
        for query, count, good in zip("abc", (5, 1, 9), (0, 0, 1), strict=True)
    ]
    assert [one["query"] for one in unanswered(asked)] == ["a"]


def test_a_change_counts_what_came_and_went_and_what_that_did() -> None:
    row = change(["a", "b"], ["c", "a"], {"c": True, "a": False})
    assert (row["common"], row["shown"], row["same_first"]) == (1, 2, False)
    assert (row["good"], row["good_before"], row["good_after"]) == (1, 0, 1)
    assert (row["before"], row["after"], row["verdict"]) == (0, 1, "better")
    assert row["change"] == pytest.approx(1.5)
    back = change(["c", "a"], ["a", "b"], {"c": True})
    assert (back["verdict"], back["gain"]) == ("worse", -1)


def test_without_a_good_document_nothing_is_better_or_worse() -> None:
    row = change(["a"], ["b"], {"a": False})
    assert (row["verdict"], row["gain"], row["change"]) == ("unjudged", None, 1)
    nothing = change([], [], {})
    assert (nothing["change"], nothing["same_first"]) == (0, True)


def test_the_same_answers_do_not_change() -> None:
    row = change(["a", "b"], ["a", "b"], {"b": True})
    assert (row["change"], row["verdict"]) == (0, "same")


@pytest.mark.parametrize(
    ("states", "ways"),
    [
        (["active"], ("active", "active-keyword")),
        ([], ("active", "active-keyword")),
        # The latest activation comes first, and the generation under way last.
        (["active", "retained", "retained"], ("2", "active")),
        (["active", "retained", "shadow"], ("active", "3")),
    ],
)
def test_the_active_generation_is_compared_with_its_successor_or_its_predecessor(
    states: list[str], ways: tuple[str, str]
) -> None:
    assert usual_ways([{"state": state, "generation": number} for number, state in enumerate(states, 1)]) == ways
