"""Judgements: statements of people on which documents answer which queries."""

from collections.abc import Sequence

import pytest

from service.corpus.base import CorpusStore, Judgement, JudgementFilter, Outcome
from service.errors import InvalidRequest, TooLarge
from tests.contract.store.stores import MOST, accept, put


def judged(query: str, document: str, good: bool = True, **more: str) -> Judgement:
    return Judgement(query=query, document=document, good=good, **more)


def keys(judgements: Sequence[Judgement]) -> list[tuple[str, str, str]]:
    return [judgement.key for judgement in judgements]


def test_judgements_are_added_and_changed(store: CorpusStore) -> None:
    put(store, a="text")
    outcome = store.judgements.add([judged("q", "b"), judged("q", "a", provenance="by hand"), judged("p", "a")])
    assert outcome == Outcome(judgements=3, queries=2, added=3, changed=0, removed=0, unresolved=1)
    assert keys(store.judgements.all()) == [("default", "p", "a"), ("default", "q", "a"), ("default", "q", "b")]
    assert store.judgements.all()[1] == judged("q", "a", provenance="by hand")
    outcome = store.judgements.add([judged("q", "a", False), judged("p", "a"), judged("p", "a")])
    assert outcome == Outcome(judgements=3, queries=2, added=0, changed=1, removed=0, unresolved=0)
    assert store.judgements.all()[1] == judged("q", "a", False)


def test_judgements_are_replaced_all_or_those_of_a_collection(store: CorpusStore) -> None:
    put(store, "other", a="text")
    store.judgements.add([judged("q", "a"), judged("q", "a", collection="other"), judged("p", "a", collection="other")])
    outcome = store.judgements.replace([judged("q", "a", False, collection="other")], "other")
    assert outcome == Outcome(judgements=2, queries=2, added=0, changed=1, removed=1, unresolved=0)
    outcome = store.judgements.replace([judged("new", "a")])
    assert outcome == Outcome(judgements=1, queries=1, added=1, changed=0, removed=2, unresolved=1)
    assert store.judgements.replace([]).removed == 1
    assert store.judgements.all() == []


def test_judgements_of_no_document_of_their_collection_are_refused(store: CorpusStore) -> None:
    put(store, a="text")
    store.judgements.add([judged("q", "a")])
    for change in (store.judgements.add, store.judgements.replace):
        with pytest.raises(InvalidRequest, match="has none of the documents that are judged \\(as 'b'\\)"):
            change([judged("q", "b"), judged("q", "c")], "default")
    assert keys(store.judgements.all()) == [("default", "q", "a")]
    assert store.judgements.add([judged("q", "b"), judged("p", "a")], "default").unresolved == 1


def test_too_many_judgements_are_refused_and_change_nothing(store: CorpusStore) -> None:
    store.judgements.add([judged("q", f"d{number}") for number in range(MOST)])
    with pytest.raises(TooLarge, match="INSTAR_LIMITS__JUDGEMENTS"):
        store.judgements.add([judged("q", "another")])
    with pytest.raises(TooLarge):
        store.judgements.replace([judged("p", f"d{number}") for number in range(MOST + 1)])
    assert len(store.judgements.all()) == MOST
    assert store.judgements.add([judged("q", "d0", False)]).changed == 1


def test_judgements_are_paged_and_removed_by_conditions(store: CorpusStore) -> None:
    put(store, a="text")
    written = [judged("q", "a"), judged("q", "b"), judged("p", "a"), judged("p", "a", collection="other")]
    store.judgements.add(written)
    assert store.judgements.counts() == (4, 2)
    ordered = store.judgements.all()
    first = store.judgements.page(JudgementFilter(), None, 3)
    assert first == ordered[:3]
    assert store.judgements.page(JudgementFilter(), first[-1].key, 3) == ordered[3:]
    assert keys(store.judgements.page(JudgementFilter(query="q"), None, 9)) == [
        ("default", "q", "a"),
        ("default", "q", "b"),
    ]
    assert keys(store.judgements.page(JudgementFilter(collection="other"), None, 9)) == [("other", "p", "a")]
    unresolved = [("default", "q", "b"), ("other", "p", "a")]
    assert keys(store.judgements.page(JudgementFilter(unresolved=True), None, 9)) == unresolved
    assert store.judgements.remove(JudgementFilter(document="a", query="p")) == 2
    assert store.judgements.remove(JudgementFilter(unresolved=True)) == 1
    store.documents.delete("default", ["a"], accept)
    assert store.judgements.counts() == (1, 1)
