"""A run's proof is read out of a lineage that anybody may have written."""

from typing import Any

import pytest

from service.console.screens.proof import Figure, proof
from service.console.screens.runs import both, newest_first

ESTIMATE = {"value": 0.5, "low": 0.4, "high": 0.6}
LINEAGE: dict[str, Any] = {
    "base": {"id": "one@1"},
    "data": {"queries": {"train": 302}, "judgements": 1204, "documents": 5000},
    "verdict": {"outcome": "PROMOTE"},
    "metrics": {
        "scores": {"base": {"nDCG@10": ESTIMATE, "MRR@10": ESTIMATE}, "tuned": {"nDCG@10": ESTIMATE}},
        "differences": {"nDCG@10": {"value": 0.1, "low": -0.05, "high": 0.15}, "MRR@10": ESTIMATE},
        "wins": 20,
        "losses": 3,
        "ties": 40,
    },
}


def test_it_is_said_in_words_and_figures() -> None:
    read = proof(LINEAGE)
    assert read is not None
    assert (read.verdict, read.tone) == ("PROMOTE", "good")
    assert read.trained == "Trained from one@1 on 302 queries, 1,204 judgements, 5,000 documents"
    assert read.outcome == "Test questions: 20 better, 3 worse, 40 equal"
    first = Figure("nDCG@10", "0.500 [0.400, 0.600]", "0.500 [0.400, 0.600]", "+0.100 [-0.050, +0.150]")
    assert read.figures == (first, Figure("MRR@10", first.base, "not known", "+0.500 [+0.400, +0.600]"))
    assert read.main == (first,)


@pytest.mark.parametrize(
    "odd",
    [
        None,
        "x",
        7,
        True,
        [],
        ["x"],
        {},
        {"id": []},
        {"outcome": 7},
        {"nDCG@10": {"value": "0.5", "low": [], "high": {}}},
    ]
    + [
        {"scores": [], "differences": {"a": {"value": number, "low": 1, "high": 1}}}
        for number in (True, 10**400, 1e999)
    ],
)
def test_whatever_somebody_wrote_is_taken_or_left(odd: Any) -> None:
    for name in LINEAGE:
        read = proof(LINEAGE | {name: odd})
        assert read is None or all(isinstance(figure, Figure) for figure in read.main)
        assert name == "verdict" or read is not None
        for inner in LINEAGE["metrics"]:
            assert proof(LINEAGE | {"metrics": LINEAGE["metrics"] | {inner: odd}}) is not None


def test_no_run_made_what_has_no_verdict() -> None:
    assert proof({}) is None
    assert proof({"verdict": "PROMOTE"}) is None


def test_runs_come_newest_first() -> None:
    listed = [
        {"name": name, "proof": made, "changed": changed}
        for name, made, changed in (("a", 1, "2026-01"), ("b", None, "2026-03"), ("c", 1, "2026-02"))
    ]
    assert [run["name"] for run in newest_first(listed)] == ["c", "a"]


def test_base_and_tuned_are_compared_if_both_can_be_searched() -> None:
    checkpoint = {"origin": {"base": "one@1"}, "model": "two@2"}
    generations: list[dict[str, Any]] = [
        {"generation": 1, "model": "one@1", "state": "released"},
        {"generation": 2, "model": "one@1", "state": "retained"},
        {"generation": 3, "model": "two@2", "state": "active"},
        {"generation": None, "model": "two@2", "state": "building"},
    ]
    assert both(checkpoint, generations) == (2, 3)
    assert both(checkpoint, [each | {"loaded": each["generation"] != 3} for each in generations]) is None
    assert both(checkpoint, generations[2:]) is None
    assert both({"origin": {"base": ["x"]}, "model": "two@2"}, generations) is None
