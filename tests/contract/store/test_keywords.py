"""Keywords: versions ranked by the words of a query, and the spans of these words."""

import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.corpus.base import CorpusStore
from tests.contract.store.stores import COLLECTIONS, STORES, collections, put, ranking, seqs_found, texts
from tests.unit.corpus.test_words import FOUND, NOT_FOUND

PINS = "pinning"


@pytest.mark.parametrize(("query", "text"), [(query, text) for query, text in FOUND if query != PINS])
def test_words_are_found_in_any_script_and_spelling(store: CorpusStore, query: str, text: str) -> None:
    (seq,) = put(store, a=text)
    assert seqs_found(store, query) == {seq}
    assert store.keywords.highlights(query, [text]) != [[]]


@pytest.mark.parametrize(("query", "text"), NOT_FOUND)
def test_other_words_are_not_found(store: CorpusStore, query: str, text: str) -> None:
    put(store, a=text)
    assert seqs_found(store, query) == set()
    assert store.keywords.highlights(query, [text]) == [[]]


@settings(max_examples=25, deadline=None)
@given(written=st.lists(st.tuples(collections, texts), max_size=12), query=texts)
@pytest.mark.parametrize("name", STORES)
def test_a_ranking_is_whole_in_order_and_within_its_bound(
    name: str, written: list[tuple[str, str]], query: str
) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(STORES[name](Path(folder))) as store:
        added = {
            put(store, collection, **{f"d{number}": text})[0]: (collection, text)
            for number, (collection, text) in enumerate(written)
        }
        asked = set(query.split())
        for collection in (None, *COLLECTIONS):
            ranked = ranking(store, query, collection)
            assert {seq for seq, _ in ranked} == {
                seq for seq, (where, text) in added.items() if collection in (None, where) and asked & set(text.split())
            }
            assert ranked == sorted(ranked, key=lambda scored: (-scored[1], scored[0]))
            assert len({seq for seq, _ in ranked}) == len(ranked)
            assert all(0 < score <= store.keywords.rank(query, collection).max_score for _, score in ranked)


def test_rare_words_frequent_words_and_short_texts_come_first(store: CorpusStore) -> None:
    filler = {f"f{number}": "common words of no use" for number in range(20)}
    rare, often, once, longer, again = put(
        store,
        rare="kazu words words words",
        often="moro moro moro words",
        once="moro words words words",
        longer="moro words words words words words",
        again="moro words words words",
    )
    put(store, **filler)
    assert [seq for seq, _ in ranking(store, "kazu moro")] == [rare, often, once, again, longer]
    scores = dict(ranking(store, "kazu moro"))
    assert scores[once] == scores[again]


def test_dead_versions_are_found_until_they_are_purged(store: CorpusStore) -> None:
    (first,) = put(store, a="kazu")
    (second,) = put(store, a="kazu moro")
    assert seqs_found(store, "kazu") == {first, second}
    store.documents.purge([first, second])
    assert seqs_found(store, "kazu") == {second}


def test_the_first_document_is_found_after_a_search_that_found_none(store: CorpusStore) -> None:
    # Many numbers are given already, as after deletes, so that one more is hardly a growth.
    store.documents.reserve(100)
    assert seqs_found(store, "kazu") == set()
    (seq,) = put(store, a="kazu moro")
    assert seqs_found(store, "kazu") == {seq}


def test_a_query_without_words_finds_nothing(store: CorpusStore) -> None:
    put(store, a="kazu")
    assert ranking(store, "-!") == []
    assert ranking(store, "moro") == []
    assert store.keywords.highlights("-!", ["kazu", "moro"]) == [[], []]


@pytest.mark.parametrize(
    ("query", "text", "marked"),
    [
        ("kazu_moro -tibu", "Use KAZU_moro with -tibu; a kazu moro", ["KAZU_moro", "tibu", "kazu moro"]),
        ("kazu moro", "kazu moro", ["kazu", "moro"]),
        ("数据库", "连接数据库失败", ["数据库"]),
        ("abc", "连接 \uff21\uff22\uff23 失败", ["\uff21\uff22\uff23"]),
        ("cafe", "Two Café, one café", ["Café", "café"]),
        ("1 4", "a \u00bc b", ["\u00bc"]),
    ],
)
def test_highlights_are_the_words_of_the_query(store: CorpusStore, query: str, text: str, marked: list[str]) -> None:
    spans = store.keywords.highlights(query, ["no such", text])
    assert spans[0] == []
    assert [text[start:end] for start, end in spans[1]] == marked
