"""Points of a map by collection or by a metadata key, without documents that are gone."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from service.corpus.base import Change, Document
from service.corpus.memory.documents import MemoryDocuments
from service.generations.maps.groups import Group, collection_of, count, points_of
from service.generations.maps.map_folder import About, Map, PlacedQuestions


def unprepared(change: Change) -> None: ...


def write(documents: MemoryDocuments, collection: str, **metadata: Any) -> None:
    for identity, values in metadata.items():
        documents.put(collection, [Document(identity, identity, values)], unprepared)


def map_of(documents: MemoryDocuments) -> Map:
    """A map of all documents, each at its number."""
    seqs = np.sort(np.concatenate(list(documents.live().values())))
    questions = PlacedQuestions(np.empty((0, 16), np.uint8), np.empty((0, 2), np.float32), np.empty((0, 10), np.int64))
    about = About(datetime.now(UTC), 1.0, len(seqs), documents.last_seq(), None)
    return Map(seqs, np.repeat(seqs[:, None], 2, axis=1).astype(np.float32), questions, about)


@pytest.fixture
def documents() -> MemoryDocuments:
    documents = MemoryDocuments()
    write(documents, "notes", a={"year": 2026}, b={"year": 2025})
    write(documents, "manual", c={"year": 2026}, d={"tags": ["x", "y"]}, e={"year": True})
    return documents


def test_the_largest_collection_comes_first(documents: MemoryDocuments) -> None:
    points = points_of(map_of(documents), documents, None)
    assert points.groups == [Group("manual", 3), Group("notes", 2)]
    assert points.group.tolist() == [1, 1, 0, 0, 0]


def test_values_of_a_key_are_groups_and_the_rest_is_one(documents: MemoryDocuments) -> None:
    points = points_of(map_of(documents), documents, "year")
    assert points.groups[0] == Group(2026, 2)
    assert sorted(str(group.value) for group in points.groups[1:]) == ["2025", "None", "True"]
    assert points.groups[-1] == Group(None, 1)
    values = [points.groups[group].value for group in points.group]
    assert values[:3] == [2026, 2025, 2026]
    assert points_of(map_of(documents), documents, "no.such").groups == [Group(None, 5)]
    assert {group.value for group in points_of(map_of(documents), documents, "tags").groups} <= {"x", "y", None}


def test_what_is_gone_is_left_out_and_what_is_new_is_counted(documents: MemoryDocuments) -> None:
    drawn = map_of(documents)
    documents.delete("notes", ["a"], unprepared)
    write(documents, "manual", c={"year": 1999}, f={})
    write(documents, "other", g={})
    points = points_of(drawn, documents, None)
    assert points.seqs.tolist() == [2, 4, 5]
    assert points.positions[:, 0].tolist() == [2.0, 4.0, 5.0]
    assert points.groups == [Group("manual", 2), Group("notes", 1)]
    assert count(drawn, documents.live()) == (3, 2, 3)
    for collection in ("notes", "manual", "other"):
        documents.delete_collection(collection, unprepared)
    assert points_of(drawn, documents, None).groups == []
    assert count(drawn, documents.live()) == (0, 5, 0)


def test_more_than_eight_groups_share_the_last_one() -> None:
    documents = MemoryDocuments()
    for number in range(12):
        write(documents, f"c{number:02}", **{f"d{other}": {} for other in range(number + 1)})
    points = points_of(map_of(documents), documents, None)
    assert [group.documents for group in points.groups] == [12, 11, 10, 9, 8, 7, 6, 5, 10]
    assert points.groups[-1].value is None


def test_a_document_is_named_by_its_number(documents: MemoryDocuments) -> None:
    assert collection_of(documents, 2) == ("notes", "b")
    documents.delete("notes", ["b"], unprepared)
    assert collection_of(documents, 2) is None
    assert collection_of(documents, 99) is None
