"""The gate: every rule at its edge, and what each failure leads to."""

from typing import Any

import numpy as np
import pytest

from service import significance
from trainer.prove import levels
from trainer.prove.estimates import Difference, Estimate
from trainer.prove.estimator import Estimator
from trainer.prove.gate import Thresholds, judge
from trainer.prove.metrics import NDCG
from trainer.prove.report.advice import next_step
from trainer.prove.report.model import Drift, General, Made, Report
from trainer.prove.report.words import told, why


def report(**changed: Any) -> Report:
    """One that passes every rule."""
    gain = {"value": 0.05, "low": 0.01, "high": 0.09, "p": 0.009, "detectable": 0.03} | changed.pop("gain", {})
    facts: dict[str, Any] = {
        "base": "base",
        "tuned": "tuned",
        "split": "given",
        "seed": 1,
        "test_queries": 80,
        "clusters": 60,
        "documents": 500,
        "scores": {
            name: {NDCG: Estimate(value=0.5, low=0.4, high=0.6)} for name in ("base", "tuned", "bm25", "hybrid")
        },
        "differences": {NDCG: Difference(**gain)},
        "wins": 20,
        "losses": 10,
        "ties": 50,
        "reductions": [],
        "recall_by_k": {"base": [0.5] * 20, "tuned": [0.6] * 20, "bm25": [0.4] * 20},
        "drift": Drift(cosine_mean=0.9, cosine_5th=0.8, overlap_at_10=0.7),
        "collapse": {"base": 0.1, "tuned": 0.1},
        "general": General(queries=50, documents=100, base=0.5, tuned=0.5),
        "package_faithful": True,
        "queries": [],
        "examples": [],
    }
    return Report(**(facts | changed))


def general(tuned: float) -> General:
    return General(queries=50, documents=100, base=0.5, tuned=tuned)


def recall(tuned: float) -> dict[str, list[float]]:
    return {"base": [0.5] * 20, "tuned": [0.9] * 9 + [tuned] + [0.9] * 10, "bm25": [0.4] * 20}


@pytest.mark.parametrize(
    ("rule", "passes", "fails", "outcome"),
    [
        ("queries", {"test_queries": 50}, {"test_queries": 49}, "INSUFFICIENT"),
        ("gain", {"gain": {"value": 0.01}}, {"gain": {"value": 0.0099}}, "HOLD"),
        ("chance", {"gain": {"p": 0.01}}, {"gain": {"p": 0.0101}}, "HOLD"),
        ("chance", {"test_queries": 150, "gain": {"p": 0.02}}, {"test_queries": 150, "gain": {"p": 0.021}}, "HOLD"),
        ("chance", {"test_queries": 250, "gain": {"p": 0.05}}, {"test_queries": 250, "gain": {"p": 0.0501}}, "HOLD"),
        ("interval", {"gain": {"low": 0.0001}}, {"gain": {"low": 0.0}}, "HOLD"),
        ("recall", {"recall_by_k": recall(0.5)}, {"recall_by_k": recall(0.4999)}, "HOLD"),
        ("general", {"general": general(0.4801)}, {"general": general(0.4799)}, "REJECT"),
        ("wins", {"wins": 11}, {"wins": 10}, "HOLD"),
        ("package", {"package_faithful": True}, {"package_faithful": False}, "REJECT"),
        ("package", {"package_faithful": True}, {"package_faithful": None}, "HOLD"),
    ],
)
def test_each_rule_at_its_edge(rule: str, passes: dict[str, Any], fails: dict[str, Any], outcome: str) -> None:
    assert judge(report(**passes), Thresholds()).outcome == "PROMOTE"
    verdict = judge(report(**fails), Thresholds())
    assert verdict.outcome == outcome
    assert [one.name for one in verdict.rules if one.passed is not True] == [rule]


def test_a_model_that_is_worse_beyond_doubt_is_rejected() -> None:
    assert judge(report(gain={"value": -0.05, "low": -0.09, "high": -0.01}), Thresholds()).outcome == "REJECT"
    assert judge(report(gain={"value": -0.05, "low": -0.09, "high": 0.01}), Thresholds()).outcome == "HOLD"


def test_too_few_queries_say_nothing_however_good_they_look() -> None:
    assert judge(report(test_queries=10, gain={"value": 0.5, "low": 0.4}), Thresholds()).outcome == "INSUFFICIENT"


def test_without_a_general_set_that_is_said_and_not_held_against_it() -> None:
    verdict = judge(report(general=None), Thresholds())
    assert verdict.outcome == "PROMOTE"
    assert "forgetting is not known" in verdict.text()


def test_thresholds_can_be_set() -> None:
    strict = Thresholds(min_queries=100)
    assert judge(report(), strict).outcome == "INSUFFICIENT"
    assert judge(report(gain={"p": 0.2}), Thresholds(max_p=0.2)).outcome == "PROMOTE"
    assert judge(report(test_queries=900, gain={"p": 0.04}), Thresholds(max_p=0.01)).outcome == "HOLD"
    assert judge(report(gain={"value": 0.001}), Thresholds(min_gain=0)).outcome == "PROMOTE"
    assert judge(report(recall_by_k=recall(0.4)), Thresholds(serving_k=5)).outcome == "PROMOTE"


def test_every_reason_is_told() -> None:
    verdict = judge(report(), Thresholds())
    assert all(rule.reason in verdict.text() for rule in verdict.rules)
    assert len(verdict.rules) == 8


@pytest.mark.parametrize("clusters", [1, 3, 5])
def test_few_clusters_show_neither_a_gain_nor_a_loss_however_many_questions_they_have(clusters: int) -> None:
    numbers = np.arange(260) % clusters
    estimator = Estimator(numbers, np.zeros(260, bool), seed=1)
    for sign in (1, -1):
        difference = estimator.difference(NDCG, np.array(sign * (0.02 + 0.01 * numbers), np.float64))
        judged = report(test_queries=260, clusters=clusters, gain=difference.model_dump())
        assert difference.low > 0 or difference.high < 0
        assert difference.p > 0.05
        assert judge(judged, Thresholds()).outcome == "HOLD"
        assert "the test does not show a gain" in judged.table()


@pytest.mark.parametrize("p", [0.01, 0.02, 0.05])
def test_a_level_takes_the_clusters_that_can_reach_it(p: float) -> None:
    fewest = levels.fewest_clusters(p)
    least = [significance.p_value(np.ones(count), np.arange(count), 1) for count in (fewest - 1, fewest)]
    assert least[0] > p >= least[1]


def test_an_order_of_adding_is_no_loss_and_no_gain() -> None:
    rounded = 0.1 + 0.2
    assert rounded != 0.3
    equal = {"base": [rounded] * 20, "tuned": [0.3] * 20, "bm25": [0.3] * 20}
    assert judge(report(recall_by_k=equal), Thresholds()).outcome == "PROMOTE"
    assert "recall@10 changes by +0.0000" in judge(report(recall_by_k=equal), Thresholds()).text()
    tenth = {"base": [0.3 + 0.1] * 20, "tuned": [rounded] * 20, "bm25": [0.3] * 20}
    assert judge(report(recall_by_k=tenth), Thresholds(max_recall_loss=0.1)).outcome == "PROMOTE"
    assert judge(report(gain={"value": 0.3}), Thresholds(min_gain=rounded)).outcome == "PROMOTE"
    assert judge(report(gain={"low": rounded - 0.3}), Thresholds()).outcome == "HOLD"
    forgotten = General(queries=50, documents=100, base=rounded, tuned=0.0)
    assert judge(report(general=forgotten), Thresholds(max_general_loss=0.3)).outcome == "PROMOTE"


@pytest.mark.parametrize("doubt", ["data", "base"])
def test_a_model_that_has_learned_from_nobody_knows_which_questions_is_held(doubt: str) -> None:
    made = Made(by="evaluate", judged=300, learned=None, doubt=doubt)
    doubted = report(test_queries=300, made=made)
    verdict = judge(doubted, Thresholds())
    assert verdict.outcome == "HOLD"
    assert [rule.name for rule in verdict.rules if rule.passed is False] == ["unseen"]
    said = told(doubted, verdict, Thresholds())
    assert "Whether the model has learned from these questions is not known: its " in said
    assert "If the model has learned from none of these questions, compare again with --unseen." in said
    # A saved report has all that its verdict takes.
    assert judge(Report.model_validate_json(doubted.model_dump_json()), Thresholds()) == verdict
    worse = report(made=made, gain={"value": -0.05, "low": -0.09, "high": -0.01})
    assert judge(worse, Thresholds()).outcome == "REJECT"


WORSE = {"value": -0.05, "low": -0.09, "high": -0.01}


@pytest.mark.parametrize(
    ("taught", "said"),
    [
        ({"base_learned": 40}, "the base has learned from 40 of these 80 questions, so it looks better than it is"),
        ({"base_doubt": "data"}, "whether the base has learned from these questions is not known: its manifest does"),
    ],
)
def test_a_base_that_has_learned_from_the_questions_rejects_nothing(taught: dict[str, Any], said: str) -> None:
    made = Made(by="evaluate", judged=80, **taught)
    worse = report(made=made, gain=WORSE)
    verdict = judge(worse, Thresholds())
    assert verdict.outcome == "HOLD"
    assert said in why(worse, verdict, Thresholds())
    assert "judge new ones in data of their own" in told(worse, verdict, Thresholds())
    assert judge(Report.model_validate_json(worse.model_dump_json()), Thresholds()) == verdict
    # A gain over a base that looks too good is one all the more, and what was forgotten has nothing to do with it.
    assert judge(report(made=made), Thresholds()).promoted
    forgetful = report(made=made, gain=WORSE, general=general(0.4))
    assert judge(forgetful, Thresholds()).outcome == "REJECT"
    assert "beyond doubt" not in why(forgetful, judge(forgetful, Thresholds()), Thresholds())


@pytest.mark.parametrize(
    ("known", "outcome", "said"),
    [
        ({"learned": 40, "base_learned": 40}, "INSUFFICIENT", "has learned from 40 of these 80 questions"),
        (
            {"learned": None, "doubt": "data", "base_doubt": "data"},
            "HOLD",
            "may have learned from these questions: its",
        ),
        ({"base_learned": 40}, "PROMOTE", ""),
    ],
)
@pytest.mark.parametrize("gain", [{}, WORSE])
def test_a_run_on_questions_that_its_base_has_learned_from_neither_promotes_nor_rejects(
    known: dict[str, Any], outcome: str, said: str, gain: dict[str, float]
) -> None:
    judged = report(made=Made(by="run", judged=80, **known), gain=gain)
    verdict = judge(judged, Thresholds())
    assert verdict.outcome == ("HOLD" if gain and outcome == "PROMOTE" else outcome)
    assert said in told(judged, verdict, Thresholds())
    if known.get("doubt"):
        assert "go on with --resume --unseen. Else run again from a base" in told(judged, verdict, Thresholds())


def test_somebody_may_say_that_the_model_has_learned_from_none() -> None:
    verdict = judge(report(made=Made(by="evaluate", judged=80, learned=None, unseen=True)), Thresholds())
    assert verdict.promoted
    assert "from none of these questions, as --unseen says" in verdict.text()


@pytest.mark.parametrize(("learned", "outcome"), [(0, "PROMOTE"), (None, "PROMOTE"), (1, "INSUFFICIENT")])
def test_questions_that_the_model_has_learned_from_promote_nothing(learned: int | None, outcome: str) -> None:
    judged = report(test_queries=300, made=Made(by="evaluate", judged=300, learned=learned))
    verdict = judge(judged, Thresholds())
    assert verdict.outcome == outcome
    assert {rule.name: rule.passed for rule in verdict.rules}["unseen"] == {0: True, None: None, 1: False}[learned]
    said = told(judged, verdict, Thresholds())
    assert ("has learned from 1 of these 300 questions, so it looks better than it is.\nWhat now: Ask" in said) == (
        learned == 1
    )
    assert ("whether the model has learned from these questions is not known" in said) == (learned is None)


def reason(**changed: Any) -> str:
    judged = report(**changed)
    return why(judged, judge(judged, Thresholds()), Thresholds())


def test_a_gain_that_is_wanted_and_not_shown_is_told_with_both_numbers() -> None:
    # 80 questions are held to p 0.01, which takes a gain 1.22 times as large as at 0.05.
    said = reason(gain={"value": 0.04, "low": -0.01, "p": 0.2, "detectable": 0.087})
    assert "nDCG@10 changes by +0.040, which would be worth it (from +0.010 on)" in said
    assert "chance alone may do that with 80 questions" in said
    assert "So many show a gain of 0.106 in four of five tries" in said


@pytest.mark.parametrize(("queries", "shows"), [(80, "0.106"), (200, "0.098"), (300, "0.087")])
def test_the_table_says_the_same_number(queries: int, shows: str) -> None:
    judged = report(test_queries=queries, gain={"value": 0.04, "low": -0.01, "p": 0.2, "detectable": 0.087})
    said = told(judged, judge(judged, Thresholds()), Thresholds())
    assert f"They could show a difference in nDCG@10 of {shows}." in judged.table()
    assert f"So many show a gain of {shows}" in said


@pytest.mark.parametrize(
    ("queries", "p", "max_p", "shown"),
    [(60, 0.03, None, False), (60, 0.03, 0.05, True), (300, 0.03, None, True), (300, 0.03, 0.01, False)],
)
def test_the_table_takes_a_gain_for_shown_where_the_verdict_does(
    queries: int, p: float, max_p: float | None, shown: bool
) -> None:
    gain = {"p": p, "detectable": 0.041}
    over_words = {"bm25": Difference(value=0.05, low=0.01, high=0.09, p=p, detectable=0.041)}
    made = Made(by="run", judged=queries, max_p=max_p)
    judged = report(test_queries=queries, gain=gain, made=made, gains_over_words=over_words)
    thresholds = Thresholds(max_p=max_p)
    verdict = judge(judged, thresholds)
    assert verdict.promoted == shown
    assert ("the test does not show a gain" in judged.table()) == (not shown)
    assert ("does not show that the tuned model beats words alone" in judged.table()) == (not shown)
    least = f"{judged.shows:.3f}"
    assert f"show a difference in nDCG@10 of {least}." in judged.table()
    assert (f"So many show a gain of {least} " in told(judged, verdict, thresholds)) == (not shown)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, ""),
        ({"gain": {"value": 0.004}}, "nDCG@10 changes by +0.004, and a new model is worth it only from +0.010 on."),
        ({"test_queries": 10}, "10 test questions are too few for any verdict, which takes 50. So many show"),
        ({"gain": {"value": -0.05, "low": -0.09, "high": -0.01}}, "The new model is worse, beyond doubt."),
        ({"general": general(0.4)}, "General set: nDCG@10 changes by -0.1000, it may lose 0.0200."),
        ({"recall_by_k": recall(0.4)}, "Recall@10 changes by -0.1000, it may lose 0.0000."),
        ({"gain": {"value": 0.004}, "wins": 1}, "on. Besides: 1 questions got better, 10 worse; the difference must"),
        ({"package_faithful": None}, "The package was not loaded and compared"),
    ],
)
def test_every_other_refusal_says_why_in_a_sentence(changed: dict[str, Any], said: str) -> None:
    assert said in reason(**changed)
    assert bool(reason(**changed)) == bool(said)


def test_the_reason_and_what_to_do_come_before_the_rules() -> None:
    judged = report(gain={"value": 0.004})
    verdict = judge(judged, Thresholds())
    first, because, advice, *rules = told(judged, verdict, Thresholds()).splitlines()
    assert first == "HOLD"
    assert because == why(judged, verdict, Thresholds())
    assert advice == f"What now: {next_step(judged, verdict, Thresholds()).text}"
    assert len(rules) == len(verdict.rules)


def test_a_promotion_needs_neither() -> None:
    judged = report()
    verdict = judge(judged, Thresholds())
    assert verdict.promoted
    assert told(judged, verdict, Thresholds()) == verdict.text()
