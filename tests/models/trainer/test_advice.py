"""Advice after a verdict: it names only flags that the command takes, and no questions that would change nothing."""

import shlex
from functools import partial
from typing import Any

import pytest
from pydantic_settings import get_subcommand

from tests.models.trainer.test_gate import report
from trainer import flag_help, flags
from trainer.commands.trainer import Trainer
from trainer.prove.gate import Thresholds, judge
from trainer.prove.metrics import NDCG
from trainer.prove.report.advice import Advice, next_step, unknown
from trainer.prove.report.model import Made

RUN = "instar train run --data judged --folds 1 --format beir --resume"
EVALUATE = "instar train evaluate models/x judged --format beir"
FOLDED = Made(by="run", judged=80, foldable=True)
HARD = Made(by="run", judged=400)
COMPARED = Made(by="evaluate", judged=400, learned=None)


def advised(command: str = "", **changed: Any) -> Advice:
    uncertain = report(**{"gain": {"low": -0.01, "p": 0.2} | changed.pop("gain", {}), **changed})
    spelled = partial(taken(command).spelled, command.split()[2]) if command else unknown
    return next_step(uncertain, judge(uncertain, Thresholds()), Thresholds(), spelled)


def advice(**changed: Any) -> str:
    return advised(**changed).text


def taken(command: str) -> Any:
    """The command as the command line reads it. Flags that it does not take raise an error."""
    words = shlex.split(command)[2:]
    flags.check(Trainer, words)
    return get_subcommand(Trainer(_cli_settings_source=flag_help.source(Trainer, words, "instar train")))


def test_a_gain_that_folds_would_show_asks_for_them_before_more_judgements() -> None:
    # At a two-sided 1% a gain has to be 1.22 times as large as at 5%, which takes 1.49 times as many questions.
    made = Made(by="run", judged=400, foldable=True)
    said = advised(RUN, gain={"detectable": 0.05}, made=made)
    assert "A gain of this size shows with about 120 questions to test on. Run again with --folds 5" in said.text
    assert "all 400 that are judged" in said.text
    again = taken(said.command)
    assert (again.folds, again.replace, again.resume, again.data) == (5, True, False, "judged")
    assert advised(gain={"detectable": 0.05}, made=made).command == ""
    more = advised(RUN, gain={"detectable": 0.115}, made=made)
    assert "Judge about 24 more, and run again with --folds 5 --replace" in more.text
    assert taken(more.command).folds == 5


def test_in_folds_every_question_that_is_judged_counts_and_goes_on_to() -> None:
    said = advised(RUN, gain={"detectable": 0.05}, folds=5, made=FOLDED)
    assert "Judge about 40 more, and run again with --folds 5 --replace" in said.text
    assert taken(said.command).folds == 5


def test_a_run_that_cannot_be_folded_is_not_told_to() -> None:
    said = advised(RUN.replace("--folds 1", "--kind reranker"), gain={"detectable": 0.05}, made=HARD)
    assert "Judge about 200 more, of which 20% are tested on" in said.text
    assert "--folds" not in said.text + said.command
    assert taken(said.command).replace
    given = advice(gain={"detectable": 0.05}, made=Made(by="run", judged=400, divided=True))
    assert "Judge about 40 more, and put them into the test split of the data" in given
    assert "--folds" not in given


def test_a_comparison_is_told_of_the_questions_that_it_has_not_asked() -> None:
    few = {"test_queries": 12, "gain": {"detectable": 0.129}}
    said = advised(EVALUATE, **few, made=Made(by="evaluate", judged=120, learned=None))
    assert "Ask all 120 that are judged by --questions all, if the model has learned from none" in said.text
    again = taken(said.command)
    assert (again.questions, again.model, again.data) == ("all", "models/x", "judged")
    more = advice(**few, made=Made(by="evaluate", judged=60, learned=None))
    assert "Judge about 59 more, and ask all by --questions all" in more
    asked = advice(gain={"detectable": 0.05}, made=Made(by="evaluate", judged=80, learned=None))
    assert "Judge about 40 more, and compare again." in asked


def test_more_questions_of_the_data_of_a_run_are_of_use_to_another_run_alone() -> None:
    taught = advised(EVALUATE, gain={"detectable": 0.05}, made=Made(by="evaluate", judged=400, learned=0))
    assert "Judge about 120 new ones in data of their own, and ask them by --questions all --unseen" in taught.text
    assert "or judge more of these, and run again with --replace." in taught.text
    assert taught.command == ""


def test_a_comparison_that_may_ask_what_was_learned_is_told_to_say_that_it_does_not() -> None:
    few = {"test_queries": 12, "gain": {"detectable": 0.129}}
    said = advised(EVALUATE, **few, made=Made(by="evaluate", judged=120, learned=None, doubt="data"))
    assert "Ask all 120 that are judged by --questions all --unseen, if the model" in said.text
    assert (taken(said.command).questions, taken(said.command).unseen) == ("all", True)
    made = Made(by="evaluate", judged=80, learned=None, doubt="base")
    asked = advised(EVALUATE, gain={"detectable": 0.05}, made=made)
    assert "Judge about 40 more, and compare again by --unseen, if the model has learned from none" in asked.text
    assert taken(asked.command).unseen
    shown = advised(EVALUATE, gain={"low": 0.01, "p": 0.009}, made=made)
    assert "compare again with --unseen. Else read the report of the run" in shown.text
    assert taken(shown.command).unseen


@pytest.mark.parametrize("doubted", [{"learned": None, "doubt": "data"}, {"base_doubt": "data"}])
@pytest.mark.parametrize("replaces", [True, False])
def test_a_run_that_goes_on_replaces_what_it_replaced(doubted: dict[str, Any], replaces: bool) -> None:
    """Its name is taken by the package that it was to replace."""
    command = RUN.replace("--resume", "--replace" if replaces else "")
    said = advised(command, gain={"detectable": 0.05}, made=Made(by="run", judged=400, **doubted))
    again = taken(said.command)
    assert (again.unseen, again.resume, again.replace) == (True, True, replaces)


def test_a_budget_for_one_model_is_not_given_to_six_and_arguments_stay_behind_their_dashes() -> None:
    made = Made(by="run", judged=400, foldable=True)
    command = "instar train run --data judged --budget 5m"
    assert taken(advised(command, gain={"detectable": 0.05}, made=made).command).budget is None
    assert taken(advised(command, gain={"detectable": 0.05}, folds=5, made=made).command).budget == 300
    few = {"test_queries": 12, "gain": {"detectable": 0.129}}
    made = Made(by="evaluate", judged=120, learned=None)
    again = taken(advised("instar train evaluate --format beir -- models/x -judged", **few, made=made).command)
    assert (again.questions, again.data) == ("all", "-judged")


def test_a_promoted_reranker_is_reloaded_as_one() -> None:
    change = report().differences[NDCG]
    promoted = report(hybrid_reranked=change)
    verdict = judge(promoted, Thresholds())
    assert next_step(promoted, verdict, Thresholds(), name="new").command == "instar reload new --reranker --wait"
    assert "`instar reload NAME --reranker --wait`" in next_step(promoted, verdict, Thresholds()).text
    assert next_step(report(), verdict, Thresholds(), name="new").command == "instar reload new --wait"


def test_of_an_old_report_nothing_is_supposed() -> None:
    said = advice(gain={"detectable": 0.05})
    assert "Judge until some 40 more are tested on." in said
    assert "--" not in said


@pytest.mark.parametrize(
    ("queries", "said"),
    [
        (2, "2 questions say nothing yet: a verdict takes 50. Judge about 48 more"),
        (50, "More questions would hardly change this"),
    ],
)
def test_no_gain_is_a_reason_to_stop_only_with_questions_enough(queries: int, said: str) -> None:
    made = Made(by="run", judged=queries, foldable=True)
    nothing = {"value": 0.0, "low": 0.0, "high": 0.0}
    assert said in advice(gain=nothing, test_queries=queries, folds=5, made=made)


def test_no_questions_are_asked_for_that_would_end_in_the_same_verdict() -> None:
    below = {"value": 0.008, "low": -0.004, "detectable": 0.02}
    far = advice(test_queries=100, gain=below | {"high": 0.02}, made=FOLDED)
    near = advice(test_queries=100, gain=below | {"high": 0.014}, made=FOLDED)
    assert "More questions to test on would hardly help: the gain itself is below +0.010." in far
    assert "More questions will not help: the gain is hardly above +0.014" in near
    for said in (far, near):
        assert "Judge" not in said
        assert "other judgements to learn from, or another base; the mode hybrid" in said


def test_too_few_different_answers_are_no_reason_to_ask_for_more_of_the_same() -> None:
    said = advice(test_queries=260, clusters=3, gain={"low": 0.01, "p": 0.125}, made=FOLDED)
    assert "Judge questions that have other answers." in said
    assert "count as 3, and no gain shows with fewer than 6" in said


def test_questions_that_would_be_enough_at_the_next_level_are_not_asked_for_twice() -> None:
    # 141 at 1% are within its range; 150 would have been enough at 2%, and 151 at 1% would not.
    assert "about 141 questions" in advice(gain={"detectable": 0.05 * 1.3275 / 1.2201}, folds=5, made=FOLDED)
    assert "about 150 questions" in advice(gain={"detectable": 0.05 * 1.375 / 1.2201}, folds=5, made=FOLDED)


def test_a_gain_that_is_shown_asks_for_no_more_questions() -> None:
    shown = {"value": 0.05, "low": 0.01, "p": 0.009, "detectable": 0.06}
    assert "There are questions enough" in advice(gain=shown, wins=1, made=FOLDED)
