"""What passes a filter is found out once and remembered: against finding it out each time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.corpus import filters
from service.corpus.base import Document, Documents
from service.corpus.sqlite.database import Database
from service.corpus.sqlite.documents import SqliteDocuments
from service.index.faiss import bitsets as bits
from service.index.faiss import sealed
from service.index.faiss.partition import Partition
from service.index.rows import whole
from service.search.conditions import meeting_in
from service.settings.data_folder import DataFolder

FILTERS: list[dict[str, Any]] = [
    {"ward": 3},
    {"ward": {"in": [1, 2]}},
    {"n": {"gte": 20}},
    {"n": {"lt": 35}, "ward": {"ne": 0}},
    {"or": [{"ward": 1}, {"not": {"n": {"gt": 10}}}]},
    {"not": {"absent": 1}},
]


def vectors(count: int) -> Any:
    made = np.random.default_rng(count).normal(size=(count, 4)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


@pytest.fixture
def documents(tmp_path: Path) -> Iterator[Documents]:
    database = Database(DataFolder(tmp_path))
    yield SqliteDocuments(database)
    database.close()


def write(documents: Documents, first: int, count: int) -> tuple[int, ...]:
    made = [Document(str(n), "text", {"n": n, "ward": n % 4}) for n in range(first, first + count)]
    return documents.put("c", made, lambda _: None).added


def expected(documents: Documents, partition: Partition, source: dict[str, Any]) -> list[int]:
    """The live documents that pass, each looked at by itself."""
    live = partition.view.live_rows().seqs.tolist()
    metadata = {seq: document.metadata for seq, document in documents.fetch(live).items()}
    tree = filters.parse(source)
    passing = filters.evaluate(
        tree, lambda leaf: np.array([filters.meets(filters.attributes(metadata[seq]), leaf) for seq in live])
    )
    return [seq for seq, inside in zip(live, passing.tolist(), strict=True) if inside]


def check(documents: Documents, partition: Partition) -> None:
    for source in FILTERS:
        allowed = partition.view.select(filters.parse(source), meeting_in(documents, "c"))
        ((found, _),) = partition.view.search(vectors(1), 10_000, allowed)
        assert sorted(found.tolist()) == expected(documents, partition, source), source


@pytest.mark.parametrize("graph_from", [10, 10**9])
def test_a_selection_is_right_while_documents_come_and_go(documents: Documents, graph_from: int) -> None:
    partition = Partition(4)
    first = write(documents, 0, 40)
    partition.apply(whole(np.array(first), vectors(40)), [])
    check(documents, partition)
    before = partition.view
    built = sealed.build(before.live_rows, graph_from=graph_from, min_recall=0.99)
    partition.replace_sealed(built, before)
    check(documents, partition)
    # Few at a time are looked at one by one, many are asked for.
    for number, count in ((40, 3), (43, 300), (343, 1)):
        partition.apply(whole(np.array(write(documents, number, count)), vectors(count)), [])
        check(documents, partition)
    died = (*first[::3], int(partition.view.fresh_rows.seqs[5]))
    documents.delete("c", [str(n) for n in range(0, 40, 3)] + ["45"], lambda _: None)
    partition.apply(None, died)
    documents.purge(died)
    check(documents, partition)


def test_what_is_remembered_is_not_asked_for_again(documents: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = whole(np.array(write(documents, 0, 50)), vectors(50))
    partition = Partition(4, sealed.build(lambda: rows, graph_from=99, min_recall=1))
    tree = filters.parse({"ward": 1})
    once = partition.view.select(tree, meeting_in(documents, "c"))
    monkeypatch.delattr(SqliteDocuments, "meeting")
    monkeypatch.delattr(SqliteDocuments, "fetch")
    again = partition.view.select(tree, meeting_in(documents, "c"))
    assert once.sealed is not None
    assert again.sealed is not None
    np.testing.assert_array_equal(once.sealed, again.sealed)


@settings(max_examples=200, deadline=None)
@given(mask=st.lists(st.booleans(), max_size=70), data=st.data())
def test_bits_are_a_set(mask: list[bool], data: st.DataObject) -> None:
    size = len(mask)
    packed = bits.pack(np.array(mask, dtype=bool))
    assert bits.unpack(packed, size).tolist() == mask
    assert bits.count(packed, size) == sum(mask)
    assert bits.count(~packed, size) == size - sum(mask)
    assert bits.members(packed, size).tolist() == [place for place, inside in enumerate(mask) if inside]
    assert bits.count(bits.everything(size), size) == size
    if size:
        gone = data.draw(st.lists(st.integers(0, size - 1)))
        left = bits.without(packed, np.array(gone, dtype=np.int64))
        assert bits.unpack(left, size).tolist() == [inside and place not in gone for place, inside in enumerate(mask)]
