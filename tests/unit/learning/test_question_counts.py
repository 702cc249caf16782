"""The judged questions that may be trained and tested on are those that the trainer is given, and no others."""

from collections.abc import Sequence
from dataclasses import astuple
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.corpus.base import Document
from service.corpus.judgements import Judgement, Source
from service.corpus.memory.store import MemoryStore
from service.learning.question_counts import QuestionCounter, QuestionCounts, count_questions
from service.learning.training_data import TrainingData

SOURCES: Sequence[Source] = get_args(Source)
COLLECTIONS = ("default", "other")


def filled(judgements: Sequence[Judgement]) -> MemoryStore:
    """A store with d0 to d2, of which d1 gets another text after it was judged; d3 is not there."""
    store = MemoryStore(1000)
    for collection in COLLECTIONS:
        documents = [Document(f"d{n}", f"text {n}", {}) for n in range(3)]
        store.documents.put(collection, documents, lambda _: None)
    for judgement in judgements:
        store.judgements.add([judgement])
    for collection in COLLECTIONS:
        store.documents.put(collection, [Document("d1", "another text", {})], lambda _: None)
    return store


def counted(*judgements: Judgement) -> QuestionCounts:
    store = filled(judgements)
    return count_questions(store.judgements, store.documents, None)


def said(query: str, document: str = "d0", good: bool = True, **more: Any) -> Judgement:
    return Judgement(query=query, document=document, good=good, **{"side": "train", "source": "person", **more})


def test_only_questions_with_a_good_document_that_is_there_count() -> None:
    assert counted(said("good")) == QuestionCounts(1, 0, 0, 0, 0)
    assert counted(said("good", side="judge")) == QuestionCounts(0, 1, 0, 0, 0)
    assert counted(said("of bad ones alone", good=False)) == QuestionCounts(0, 0, 0, 0, 1)
    assert counted(said("of a document that is not there", "d3")) == QuestionCounts(0, 0, 0, 1, 0)
    assert counted(said("of a former text", "d1")) == QuestionCounts(0, 0, 0, 1, 0)
    assert counted(said("made by a model", source="generated")) == QuestionCounts(0, 0, 0, 0, 1)
    disputed = said("disputed", by="ann"), said("disputed", good=False, by="bob")
    assert counted(*disputed) == QuestionCounts(0, 0, 0, 0, 1)
    connecting = said("judges", side="judge"), said("trains", "d2"), said("trains", "d0")
    assert counted(*connecting) == QuestionCounts(0, 1, 1, 0, 0)
    # In one collection its document is gone, and in the other it is there.
    assert counted(said("twice", "d3"), said("twice", collection="other")) == QuestionCounts(1, 0, 0, 0, 0)


@pytest.mark.parametrize(("seconds", "kept"), [(0.1, False), (2.0, True)])
def test_counts_that_take_long_are_kept_for_ten_times_as_long(seconds: float, kept: bool) -> None:
    now = 0.0
    store = filled([])

    class Slow:
        def page(self, *conditions: Any) -> Any:
            nonlocal now
            page = store.judgements.page(*conditions)
            now += 0 if page else seconds
            return page

    slow: Any = Slow()
    counter = QuestionCounter(slow, store.documents, lambda: now)
    assert counter.count(None).training == 0
    store.judgements.add([said("good")])
    now += 9 * seconds
    assert counter.count(None).training == (0 if kept else 1)
    # Each collection is counted for itself.
    assert counter.count("default").training == 1
    now += 2 * seconds
    assert counter.count(None).training == 1


@given(
    st.lists(
        st.builds(
            Judgement,
            query=st.sampled_from([f"question {n}" for n in range(8)]),
            document=st.sampled_from([f"d{n}" for n in range(4)]),
            collection=st.sampled_from(COLLECTIONS),
            good=st.booleans(),
            source=st.sampled_from(SOURCES),
            by=st.sampled_from(["ann", "bob"]),
            weight=st.sampled_from([0.25, 0.5]),
            side=st.sampled_from([None, "train", "judge"]),
        ),
        max_size=25,
    )
)
def test_they_are_what_the_trainer_is_given(judgements: list[Judgement]) -> None:
    store = filled(judgements)
    for collection in (None, *COLLECTIONS):
        exported = TrainingData(store.judgements, store.documents).judgements(collection, None)
        trained = {one.query for one in exported if one.good and one.source != "generated"}
        counts = count_questions(store.judgements, store.documents, collection)
        assert counts.training == len(trained)
        # Every question is counted once.
        judged = {one.query for one in store.judgements.all() if collection in (None, one.collection)}
        assert sum(astuple(counts)) == len(judged)
