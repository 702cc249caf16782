"""Facets: how many documents have each value of a metadata key."""

import json
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.corpus.base import CorpusStore, Document
from service.corpus.facets import ValueCount, most_frequent
from tests.contract.store.stores import STORES, accept

values = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, 1.5, -3, 2**70]),
    st.sampled_from(["a", "b", "1", "2024-05-06T10:00:00Z", "\u00e9", "x" * 600]),
)
metadata = st.fixed_dictionaries(
    {}, optional={"key": values | st.lists(values, max_size=3) | st.fixed_dictionaries({"inner": values})}
)


def put(store: CorpusStore, collection: str, *written: dict[str, Any]) -> list[int]:
    documents = [Document(f"d{number}", "text", metadata) for number, metadata in enumerate(written)]
    return list(store.documents.put(collection, documents, accept).added)


def counted(store: CorpusStore, key: str, seqs: list[int], limit: int = 10) -> list[tuple[object, int]]:
    counts = store.documents.count_values("default", key, np.array(seqs, dtype=np.int64), limit)
    return [(count.value, count.count) for count in counts]


def test_the_most_frequent_values_come_first(store: CorpusStore) -> None:
    seqs = put(store, "default", *({"source": name} for name in ("b", "a", "c", "b", "c", "c")))
    assert counted(store, "source", seqs) == [("c", 3), ("b", 2), ("a", 1)]
    assert counted(store, "source", seqs, limit=2) == [("c", 3), ("b", 2)]
    assert counted(store, "source", seqs[:2]) == [("a", 1), ("b", 1)]
    assert counted(store, "source", []) == counted(store, "nothing", seqs) == []


def test_types_are_told_apart_and_come_back_as_they_were(store: CorpusStore) -> None:
    seqs = put(store, "default", {"n": True}, {"n": 1}, {"n": "1"}, {"n": 1.0})
    assert counted(store, "n", seqs) == [(1, 2), (True, 1), ("1", 1)]
    assert [type(value) for value, _ in counted(store, "n", seqs)][1:] == [bool, str]


def test_each_element_of_a_list_counts_and_paths_have_dots(store: CorpusStore) -> None:
    seqs = put(store, "default", {"tags": ["x", "y", "x"]}, {"tags": ["y", None]}, {"a": {"b": "z"}}, {"tags": []})
    assert counted(store, "tags", seqs) == [("y", 2), ("x", 1)]
    assert counted(store, "a.b", seqs) == [("z", 1)]
    assert counted(store, "a", seqs) == []


def test_a_date_counts_once_and_a_long_string_not_at_all(store: CorpusStore) -> None:
    seqs = put(store, "default", {"at": "2024-05-06T10:00:00Z"}, {"at": "x" * 600}, {"at": None})
    assert counted(store, "at", seqs) == [("2024-05-06T10:00:00Z", 1)]


def test_other_versions_and_collections_do_not_count(store: CorpusStore) -> None:
    first = put(store, "default", {"source": "old"})
    second = put(store, "default", {"source": "new"})
    other = put(store, "other", {"source": "new"})
    assert counted(store, "source", second) == [("new", 1)]
    assert counted(store, "source", first) == [("old", 1)]
    assert counted(store, "source", [*second, *other]) == [("new", 1)]


@settings(max_examples=25, deadline=None)
@given(written=st.lists(metadata, max_size=12), key=st.sampled_from(["key", "key.inner"]), chosen=st.data())
@pytest.mark.parametrize("name", STORES)
def test_counts_are_those_of_the_metadata(
    name: str, written: list[dict[str, Any]], key: str, chosen: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(STORES[name](Path(folder))) as store:
        seqs = put(store, "default", *written)
        among = sorted(chosen.draw(st.sets(st.sampled_from(seqs)))) if seqs else []
        # JSON is what a store keeps.
        expected = [json.loads(json.dumps(written[seqs.index(seq)])) for seq in among]
        counts = store.documents.count_values("default", key, np.array(among, dtype=np.int64), 5)
        assert counts == most_frequent(expected, key, 5)
        assert all(isinstance(count, ValueCount) for count in counts)
