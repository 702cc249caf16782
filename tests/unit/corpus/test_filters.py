"""The filter language, as SQLite answers it, against a reading of its definition in plain Python."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.corpus import filters
from service.corpus.base import Document, Documents
from service.corpus.sqlite.database import Database
from service.corpus.sqlite.documents import SqliteDocuments
from service.errors import InvalidRequest
from service.settings.data_folder import DataFolder

KEYS = st.sampled_from(["a", "b", "c"])
MOMENTS = [
    "2024-01",
    "2024-01-01",
    "2024-01-01T00:00Z",
    "2024-01-01T01:30:00+02:00",
    "2024-01-01 00:00:00.5",
]
LIKE_DATES = [*MOMENTS, "2024-02-30", "2024-01-01t10:30 or\nso"]
UNLIKE_DATES = ["2024", "20240101", "2024-1-1", "2024-00", "2024-13", "2024-01-0", "2024-01-010", "2024-01-01x10:30"]
DATES = st.sampled_from([*LIKE_DATES, *UNLIKE_DATES])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.5, 2.0, -1.5])
    | st.sampled_from(["", "x", "y", "é", "x" * 600])
    | DATES
)
METADATA: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    KEYS,
    SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(KEYS, SCALARS | st.just([]) | st.just({}), max_size=2),
    max_size=3,
)
PATHS = st.sampled_from(["a", "b", "c", "a.b", "b.c"])
COMPARABLE = st.integers(-3, 3) | st.sampled_from([0.5, "x", *MOMENTS, *UNLIKE_DATES])
LEAVES = (
    st.builds(lambda key, value: {key: value}, PATHS, SCALARS)
    | st.builds(lambda key, operator, value: {key: {operator: value}}, PATHS, st.sampled_from(["eq", "ne"]), SCALARS)
    | st.builds(
        lambda key, operator, value: {key: {operator: value}},
        PATHS,
        st.sampled_from(["gt", "gte", "lt", "lte"]),
        COMPARABLE,
    )
    | st.builds(
        lambda key, operator, values: {key: {operator: values}},
        PATHS,
        st.sampled_from(["in", "all"]),
        st.lists(SCALARS, min_size=1, max_size=3),
    )
    | st.builds(lambda key, there: {key: {"exists": there}}, PATHS, st.booleans())
)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(lambda parts: {"and": parts}, st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda parts: {"or": parts}, st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda part: {"not": part}, inner)
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Documents]:
    database = Database(DataFolder(tmp_path_factory.mktemp("filters")))
    yield SqliteDocuments(database)
    database.close()


@settings(max_examples=400, deadline=None)
@given(corpus=st.lists(METADATA, min_size=1, max_size=8), source=FILTERS)
def test_a_filter_finds_what_its_definition_says(
    documents: Documents, corpus: list[dict[str, Any]], source: dict[str, Any]
) -> None:
    collection = uuid4().hex
    written = [Document(str(n), "text", metadata) for n, metadata in enumerate(corpus)]
    change = documents.put(collection, written, lambda _: None)
    universe = np.array(change.added, dtype=np.int64)
    tree = filters.parse(source)
    expected = [passes(metadata, source) for metadata in corpus]
    stored = filters.evaluate(tree, lambda leaf: np.isin(universe, documents.meeting(collection, leaf)))
    assert stored.tolist() == expected
    looked_at = filters.evaluate(
        tree, lambda leaf: np.array([filters.meets(filters.attributes(metadata), leaf) for metadata in corpus])
    )
    assert looked_at.tolist() == expected
    after = filters.evaluate(
        tree, lambda leaf: np.isin(universe, documents.meeting(collection, leaf, after=change.added[0]))
    )
    if isinstance(tree, filters.Condition):
        assert after.tolist() == [False, *expected[1:]]


def passes(metadata: dict[str, Any], source: dict[str, Any]) -> bool:
    return all(passes_entry(metadata, key, value) for key, value in source.items())


def passes_entry(metadata: dict[str, Any], key: str, value: Any) -> bool:
    if key == "and":
        return all(passes(metadata, part) for part in value)
    if key == "or":
        return any(passes(metadata, part) for part in value)
    if key == "not":
        return not passes(metadata, value)
    own = list(reach(metadata, key.split(".")))
    if not isinstance(value, dict):
        value = {"eq": value}
    elif "exists" in value:
        return there(metadata, key.split(".")) is value["exists"]
    return all(compare(own, operator, operand) for operator, operand in value.items())


def reach(value: Any, path: list[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for inner in value:
            yield from reach(inner, path)
    elif path and isinstance(value, dict):
        if path[0] in value:
            yield from reach(value[path[0]], path[1:])
    elif not path and not isinstance(value, dict):
        yield value


def there(value: Any, path: list[str]) -> bool:
    """Whether the path leads anywhere; an empty list on the way has nothing in it."""
    if not path:
        return True
    if isinstance(value, list):
        return any(there(inner, path) for inner in value)
    return isinstance(value, dict) and path[0] in value and there(value[path[0]], path[1:])


def date(value: Any) -> datetime | None:
    """What the examples above stand for."""
    moments = {
        "2024-01": datetime(2024, 1, 1, tzinfo=UTC),
        "2024-01-01": datetime(2024, 1, 1, tzinfo=UTC),
        "2024-01-01T00:00Z": datetime(2024, 1, 1, tzinfo=UTC),
        "2024-01-01T01:30:00+02:00": datetime(2023, 12, 31, 23, 30, tzinfo=UTC),
        "2024-01-01 00:00:00.5": datetime(2024, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC),
    }
    return moments.get(value) if isinstance(value, str) else None


def compare(own: list[Any], operator: str, operand: Any) -> bool:
    if operator == "ne":
        return not compare(own, "eq", operand)
    if operator == "all":
        return all(compare(own, "eq", value) for value in operand)
    if operator == "in":
        return any(compare(own, "eq", value) for value in operand)
    return any(compare_one(value, operator, operand) for value in own)


def compare_one(value: Any, operator: str, operand: Any) -> bool:
    if date(operand) is not None and (operator != "eq" or len(operand) > len("2024-01-01")):
        value, operand = date(value), date(operand)
    if kind(value) != kind(operand) or (value is None and operator != "eq"):
        return False
    if operator == "eq":
        return bool(value == operand)
    if isinstance(value, str) and (len(value) > 512 or value in LIKE_DATES):
        return False
    outcomes = {"gt": value > operand, "gte": value >= operand, "lt": value < operand, "lte": value <= operand}
    return bool(outcomes[operator])


def kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return type(value).__name__
    return "number" if isinstance(value, int | float) else "string"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({}, "a filter is an object"),
        ({"a": []}, '"in"'),
        ({"a": {}}, "no operator"),
        ({"a": {"like": "x"}}, "no operator 'like'"),
        ({"a": {"in": []}}, "1 to 1000"),
        ({"a": {"in": list(range(1001))}}, "1 to 1000"),
        ({"a": {"gt": True}}, "numbers or strings"),
        ({"a": {"lte": "2024-02-30"}}, "no such day or time"),
        ({"a": {"lt": "2024-01-01T12:00 in Berlin"}}, "no such day or time"),
        ({"a": {"eq": {"b": 1}}}, "object or a list"),
        ({"and": []}, "one or more filters"),
        ({"not": []}, "a filter is an object"),
        ({"or": [{"a": n} for n in range(257)]}, "more than 256"),
    ],
)
def test_what_is_not_in_the_language_is_refused(source: Any, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words) as caught:
        filters.parse(source)
    assert caught.value.param == "filter"
