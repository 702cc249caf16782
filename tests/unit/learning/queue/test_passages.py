"""Passages come from every ranking alike, and say nothing of where they come from."""

from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.corpus.base import Document
from service.corpus.judgements import Judgement
from service.learning.queue.passages import blind, passages
from service.learning.queue.rankings import Rankings
from tests.contract.feedback.stores import NOON

RANKING = st.lists(st.sampled_from("abcdefghij"), unique=True, max_size=8)
RANKINGS = st.dictionaries(st.integers(1, 4), RANKING, min_size=1, max_size=3)
DOCUMENTS = {name: Document(name, f"text of {name}", {"n": name}) for name in "abc"}


def said(document: str, good: bool, by: str | None) -> Judgement:
    return Judgement(query="q", document=document, good=good, source="person", by=by)


@given(RANKINGS, RANKINGS, st.integers(1, 8))
def test_a_pool_has_the_beginning_of_every_ranking_and_nothing_else(
    dense: dict[int, list[str]], keyword: dict[int, list[str]], depth: int
) -> None:
    pool = Rankings(dense, keyword).pool(depth)
    rankings = [*dense.values(), *keyword.values()]
    for ranking in rankings:
        assert set(ranking[:depth]) <= pool
    assert all(any(document in ranking[:depth] for ranking in rankings) for document in pool)


@given(RANKINGS, RANKINGS, st.integers(1, 8))
def test_their_order_does_not_depend_on_which_ranking_found_what(
    dense: dict[int, list[str]], keyword: dict[int, list[str]], depth: int
) -> None:
    one = Rankings(dense, keyword).pool(depth)
    # Every generation and mode in the role of another one.
    other = Rankings(dict(reversed(keyword.items())), dict(reversed(dense.items()))).pool(depth)
    assert blind("default", "q", one) == blind("default", "q", other)


@given(st.sets(st.text(max_size=5)), st.randoms())
def test_their_order_is_the_same_each_time_and_for_a_part_of_them(ids: set[str], random: Random) -> None:
    shuffled = sorted(ids)
    random.shuffle(shuffled)
    order = blind("default", "q", shuffled)
    assert order == blind("default", "q", ids)
    part = shuffled[::2]
    assert blind("default", "q", part) == [identity for identity in order if identity in part]


def test_their_order_differs_from_question_to_question() -> None:
    orders = {tuple(blind("default", query, "abcdef")) for query in "pqrstu"}
    assert len(orders) == 6


def test_a_passage_is_open_until_somebody_has_judged_it() -> None:
    people = [said("a", True, "ann"), said("b", True, "ann"), said("b", False, "bob"), said("d", True, "ann")]
    made = passages(["b", "d", "c", "a"], DOCUMENTS, [*people, said("b", True, "carol")], set(), None)
    assert [(one.document.id, one.open, one.good, one.people) for one in made] == [
        ("b", False, True, 3),
        ("c", True, None, 0),
        ("a", False, True, 1),
    ]
    assert made[1].document == DOCUMENTS["c"]
    # As long as people disagree, it waits for somebody.
    assert [(one.open, one.good, one.disagree) for one in passages(["b"], DOCUMENTS, people, set(), None)] == [
        (True, None, True)
    ]


def test_to_a_person_it_is_open_until_that_person_has_judged_it() -> None:
    people = [said("a", True, "ann"), said("b", True, "ann"), said("b", False, "bob")]
    made = passages(["a", "b", "c"], DOCUMENTS, people, set(), "bob")
    assert [(one.open, one.good, one.people) for one in made] == [
        (True, None, 1),
        (False, False, 2),
        (True, None, 0),
    ]


def test_to_a_person_who_was_not_sure_it_is_closed_until_this_person_judges_it() -> None:
    made = passages(["a", "b"], DOCUMENTS, [said("b", True, "bob")], {"a", "b"}, "bob")
    assert [(one.open, one.unsure, one.good) for one in made] == [(False, True, None), (False, False, True)]


def test_a_passage_that_people_disagree_on_waits_for_a_third_and_for_whom_was_contradicted() -> None:
    ann, bob = (said("a", by == "ann", by).model_copy(update={"at": NOON}) for by in ("ann", "bob"))
    later = bob.model_copy(update={"at": NOON + timedelta(minutes=1)})

    def is_open(by: str, *people: Judgement, unsure: bool = False) -> bool:
        (passage,) = passages(["a"], DOCUMENTS, people, {"a"} if unsure else set(), by)
        assert passage.disagree is (len(people) == 2)
        return passage.open

    assert [is_open(by, ann, later) for by in ("ann", "bob", "carol")] == [True, False, True]
    # Said again, ann's word is the later one.
    again = ann.model_copy(update={"at": NOON + timedelta(minutes=2)})
    assert [is_open(by, again, later) for by in ("ann", "bob", "carol")] == [False, True, True]
    assert [is_open(by, ann, bob) for by in ("ann", "bob", "carol")] == [False, False, True]
    assert not is_open("carol", ann, later, unsure=True)
    # Carol has decided.
    assert [is_open(by, ann, later, said("a", True, "carol")) for by in ("ann", "bob", "dora")] == [False, False, True]


def test_generations_agree_as_far_as_the_most_different_one_does() -> None:
    same = Rankings({2: ["a", "b"], 1: ["a", "b"]}, {2: [], 1: []})
    assert same.agreement_of_generations() == pytest.approx(1)
    assert same.agreement_of_modes() is None
    different = Rankings({2: ["a"], 1: ["a"], 3: ["b"]}, {2: ["a"], 1: [], 3: []})
    assert different.agreement_of_generations() == 0
    assert different.agreement_of_modes() == pytest.approx(1)
    assert Rankings({2: ["a"]}, {2: ["b"]}).agreement_of_generations() is None
    assert Rankings({2: []}, {2: ["b"]}).agreement_of_modes() == 0
