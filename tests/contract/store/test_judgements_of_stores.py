"""Every store agrees with every other one on judgements, whatever is written in whatever order."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.corpus.base import CorpusStore, Document
from service.corpus.judgements import DERIVED, STATED, Judgement, JudgementFilter
from service.errors import InvalidRequest, TooLarge
from tests.contract.store.stores import STORES, accept, collections

documents = st.sampled_from("ab")
said = st.builds(
    Judgement,
    query=st.sampled_from(["p", "P?", "q", "r", "reset my password", "reset my pasword"]),
    document=documents,
    collection=collections,
    good=st.booleans(),
    source=st.sampled_from([*STATED, *sorted(DERIVED)]),
    by=st.sampled_from(["ann", "bob"]),
    side=st.sampled_from([None, "train", "judge"]),
    weight=st.sampled_from([0.5, 1.0]),
)
filters = st.builds(
    JudgementFilter,
    collection=st.none() | collections,
    query=st.sampled_from([None, "p", "q"]),
    unresolved=st.booleans(),
    sources=st.none() | st.frozensets(st.sampled_from(["person", "sent", "click"]), min_size=1),
    side=st.sampled_from([None, "train", "judge"]),
    stale=st.sampled_from([None, True, False]),
)
Step = Callable[[CorpusStore], Any]


def add(judgements: Sequence[Judgement], collection: str | None) -> Step:
    return lambda store: store.judgements.add(judgements, collection)


def replace(judgements: Sequence[Judgement], sources: frozenset[Any]) -> Step:
    kept = [judgement for judgement in judgements if judgement.source in sources]
    return lambda store: store.judgements.replace(kept, sources=sources)


def remove(conditions: JudgementFilter) -> Step:
    return lambda store: store.judgements.remove(conditions)


def write(collection: str, identity: str, text: str) -> Step:
    return lambda store: store.documents.put(collection, [Document(identity, text, {})], accept).added


def delete(collection: str, identity: str) -> Step:
    return lambda store: store.documents.delete(collection, [identity], accept).died


several = st.lists(said, max_size=4)
steps = st.one_of(
    st.builds(add, several, st.none() | collections),
    st.builds(replace, several, st.sampled_from([frozenset({"sent"}), DERIVED])),
    st.builds(remove, filters),
    st.builds(write, collections, documents, st.sampled_from(["text", "Text", "another"])),
    st.builds(delete, collections, documents),
)


def outcome(store: CorpusStore, step: Step) -> Any:
    try:
        return step(store)
    except (InvalidRequest, TooLarge) as error:
        return type(error), error.message


def state(store: CorpusStore, conditions: JudgementFilter) -> Any:
    shown = [judgement.model_copy(update={"at": None}) for judgement in store.judgements.all(conditions)]
    return shown, store.judgements.counts(conditions)


@given(st.lists(steps, max_size=12), st.lists(filters, max_size=3))
@settings(max_examples=100, deadline=None)
def test_stores_agree(tmp_path_factory: pytest.TempPathFactory, taken: list[Step], seen: list[JudgementFilter]) -> None:
    with ExitStack() as stack:
        folder: Path = tmp_path_factory.mktemp("agreement")
        stores = [stack.enter_context(closing(make(folder))) for make in STORES.values()]
        for step in taken:
            first, *others = [outcome(store, step) for store in stores]
            assert all(other == first for other in others)
            for conditions in (JudgementFilter(), *seen):
                first, *others = [state(store, conditions) for store in stores]
                assert all(other == first for other in others)
