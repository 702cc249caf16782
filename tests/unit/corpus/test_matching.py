"""Deleting by filter: whichever way the documents are looked up, they are the same, and others are not looked at."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.corpus import filters
from service.corpus.base import Change, Document
from service.corpus.sqlite import matching
from service.corpus.sqlite.database import Database
from service.corpus.sqlite.documents import SqliteDocuments
from service.settings.data_folder import DataFolder
from tests.unit.corpus.test_filters import FILTERS, METADATA, passes

# The steps of SQLite's virtual machine between two counts.
_COUNTED = 100
_MANY = 4000
_SOURCES = 400


def accept(_: Change) -> None:
    """Let every change pass."""


class Counting(Database):
    """A database that counts what its readers do, in steps of SQLite's virtual machine."""

    steps = 0

    def _connect(self) -> Any:
        connection = super()._connect()
        connection.set_progress_handler(self._count, _COUNTED)
        return connection

    def _count(self) -> int:
        self.steps += _COUNTED
        return 0


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    database = Counting(DataFolder(tmp_path_factory.mktemp("matching")))
    yield database
    database.close()


@pytest.fixture(scope="module")
def documents(database: Counting) -> SqliteDocuments:
    documents = SqliteDocuments(database)
    written = [
        Document(str(number), "text", {"source": number % _SOURCES, "kind": "chunk", "tags": ["x", "y"]})
        for number in range(_MANY)
    ]
    documents.put("many", written, accept)
    return documents


@pytest.mark.parametrize("read_one_by_one", [0, 1, 3])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(corpus=st.lists(METADATA, min_size=1, max_size=8), source=FILTERS)
def test_many_documents_are_deleted_by_the_definition_of_their_filter(
    documents: SqliteDocuments,
    monkeypatch: pytest.MonkeyPatch,
    read_one_by_one: int,
    corpus: list[dict[str, Any]],
    source: dict[str, Any],
) -> None:
    monkeypatch.setattr(matching, "_READ_ONE_BY_ONE", read_one_by_one)
    collection = uuid4().hex
    added = documents.put(collection, [Document(str(n), "text", each) for n, each in enumerate(corpus)], accept).added
    expected = [seq for seq, metadata in zip(added, corpus, strict=True) if passes(metadata, source)]
    assert list(documents.delete_matching(collection, filters.parse(source), accept).died) == expected
    assert not documents.delete_matching(collection, filters.parse(source), accept).died


@pytest.mark.parametrize(
    "source",
    [
        {"source": 7},
        {"source": {"in": [8, 9]}},
        {"kind": "chunk", "source": 10},
        {"tags": {"all": ["x", "y"]}, "source": 11, "kind": {"ne": "page"}},
        {"and": [{"not": {"kind": "page"}}, {"source": 12}]},
        {"or": [{"source": 13}, {"source": 14}]},
    ],
)
def test_what_does_not_meet_the_narrowest_condition_is_not_looked_at(
    database: Counting, documents: SqliteDocuments, source: dict[str, Any]
) -> None:
    began = database.steps
    everything = documents.meeting("many", filters.Condition("kind", "exists", ()))
    listed = database.steps
    died = documents.delete_matching("many", filters.parse(source), accept).died
    assert len(everything) > 0.9 * _MANY
    assert len(died) in (_MANY // _SOURCES, 2 * _MANY // _SOURCES)
    assert 3 * (database.steps - listed) < listed - began
