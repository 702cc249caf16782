"""A pair counts once, and who decides it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.corpus.judgements import DERIVED, Judgement
from service.learning.verdicts import verdicts


def said(source: str, good: bool = True, **more: Any) -> Judgement:
    return Judgement.model_validate({"query": "q", "document": "d", "good": good, "source": source} | more)


GOOD, BAD = True, False


@pytest.mark.parametrize(
    ("judgements", "verdict"),
    [
        ([said("person", BAD, by="ann"), said("sent"), said("feedback"), said("click")], ("person", BAD)),
        ([said("person", by="a"), said("person", BAD, by="b"), said("person", by="c")], ("person", GOOD)),
        ([said("sent", BAD), said("feedback"), said("click")], ("sent", BAD)),
        ([said("feedback", BAD, weight=0.5), said("click", weight=0.25)], ("feedback", BAD)),
        ([said("feedback", BAD, weight=0.25), said("click", weight=0.75)], ("click", GOOD)),
        ([said("click", BAD), said("generated")], ("click", BAD)),
        ([said("generated", BAD)], ("generated", BAD)),
        ([said("person", by="a"), said("person", BAD, by="b"), said("sent")], None),
        ([said("feedback", weight=0.1 + 0.2), said("click", BAD, weight=0.3), said("generated")], None),
        ([said("person", BAD, by="a", stale=True), said("sent")], ("sent", GOOD)),
        ([said("sent", stale=True)], None),
    ],
)
def test_who_decides_a_pair(judgements: list[Judgement], verdict: tuple[str, bool] | None) -> None:
    assert [(one.source, one.good) for one in verdicts(judgements)] == ([verdict] if verdict else [])


def test_feedback_and_clicks_add_up() -> None:
    assert [one.weight for one in verdicts([said("feedback", weight=0.5), said("click", weight=0.25)])] == [0.75]
    assert [one.weight for one in verdicts([said("feedback", BAD, weight=0.5), said("click", weight=0.125)])] == [0.375]
    assert [one.weight for one in verdicts([said("feedback", weight=1.0), said("click", weight=1.0)])] == [1.0]


def test_what_some_sources_decide_counts_unless_others_overrule_it() -> None:
    pair = [said("click", weight=0.25), said("person", by="ann"), said("sent", BAD)]
    assert [one.source for one in verdicts(pair, DERIVED)] == ["click"]
    assert list(verdicts(pair, {"sent"})) == []
    assert list(verdicts(pair, {"generated"})) == []


@given(
    st.lists(
        st.builds(
            Judgement,
            query=st.sampled_from("pq"),
            document=st.sampled_from("de"),
            good=st.booleans(),
            source=st.sampled_from(["person", "sent", "feedback", "click", "generated"]),
            by=st.sampled_from(["a", "b", "c"]),
            weight=st.sampled_from([0.25, 0.5, 1.0]),
            stale=st.booleans(),
        )
    )
)
def test_each_pair_has_one_verdict_at_most_which_somebody_gave(judgements: list[Judgement]) -> None:
    ordered = sorted({one.key: one for one in judgements}.values(), key=lambda one: one.key)
    decided = list(verdicts(ordered))
    assert len({one.pair for one in decided}) == len(decided)
    for verdict in decided:
        of_pair = [one for one in ordered if one.pair == verdict.pair and not one.stale]
        assert any(one.good is verdict.good and one.source == verdict.source for one in of_pair)
        assert 0 < verdict.weight <= 1
        if any(one.source == "person" for one in of_pair):
            assert verdict.source == "person"
