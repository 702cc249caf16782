"""What may be trained on: nothing of the side judge, by any choice of collection and sources."""

from collections.abc import Sequence
from itertools import chain, combinations
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from service.corpus.base import Document
from service.corpus.judgements import Judgement, JudgementFilter, Source
from service.corpus.memory.store import MemoryStore
from service.corpus.sides import query_node
from service.learning.training_data import TrainingData

SOURCES: Sequence[Source] = get_args(Source)
CHOICES = [None, *map(frozenset, chain.from_iterable(combinations(SOURCES, size) for size in range(1, 4)))]


def filled(judgements: Sequence[Judgement]) -> MemoryStore:
    store = MemoryStore(1000)
    for collection in ("a", "b"):
        documents = [Document(f"d{n}", f"text {n}", {"n": n}) for n in range(5)]
        store.documents.put(collection, documents, lambda _: None)
    for judgement in judgements:
        store.judgements.add([judgement])
    return store


@given(
    st.lists(
        st.builds(
            Judgement,
            query=st.sampled_from([f"question {n}" for n in range(12)]),
            document=st.sampled_from([f"d{n}" for n in range(6)]),
            collection=st.sampled_from("ab"),
            good=st.booleans(),
            source=st.sampled_from(SOURCES),
            by=st.sampled_from(["ann", "bob"]),
            side=st.sampled_from([None, "train", "judge"]),
        ),
        max_size=25,
    )
)
def test_no_query_that_judges_leaves_by_any_way(judgements: list[Judgement]) -> None:
    store = filled(judgements)
    judging = {one.query for one in store.judgements.all(JudgementFilter(side="judge"))}
    train = {one.query for one in store.judgements.all(JudgementFilter(side="train"))}
    nodes = {query_node(query) for query in judging}
    data = TrainingData(store.judgements, store.documents)
    for collection in (None, "a", "b"):
        for sources in CHOICES:
            exported = list(data.judgements(collection, sources))
            assert not {query_node(one.query) for one in exported} & nodes
            assert {one.query for one in exported} <= train
            assert {one.source for one in exported} <= (sources or set(SOURCES))
            assert all(one.side == "train" and not one.stale and one.document != "d5" for one in exported)


def test_documents_come_in_the_order_of_their_writes_and_can_be_gone_on_with() -> None:
    store = filled([])
    data = TrainingData(store.judgements, store.documents)
    total, documents = data.documents(None, 0)
    everything = [(one.collection, one.version.seq, one.version.document.id) for one in documents]
    assert (total, len(everything)) == (10, 10)
    assert everything == sorted(everything, key=lambda one: one[1])
    total, documents = data.documents(None, everything[6][1])
    assert [(one.collection, one.version.seq, one.version.document.id) for one in documents] == everything[7:]
    assert data.documents("b", 0)[0] == 5
    assert data.documents("nowhere", 0)[0] == 0
