"""Collectors' objects are read for what they mean, and nothing else is raised than that they are wrong."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from service.errors import InvalidRequest
from service.learning.ubi import UbiEvent, UbiQuery, content_id, is_bulk_action, is_event, is_query, row_of
from tests.support import ubi_payloads as ubi


@pytest.mark.parametrize("body", [ubi.PLUGIN_QUERY, ubi.INDEXED_QUERY, ubi.JAVASCRIPT_QUERY])
def test_a_query_says_the_same_whoever_sends_it(body: str) -> None:
    content = json.loads(body)
    row = row_of(content[0] if isinstance(content, list) else content)
    assert is_query(row)
    query = UbiQuery.model_validate(row)
    assert (query.query_id, query.user_query, query.user) == (ubi.QUERY_ID, ubi.ASKED, ubi.CLIENT)
    assert query.timestamp is not None
    assert query.timestamp.replace(microsecond=0) == datetime(2026, 11, 28, 10, 20, 30, tzinfo=UTC)
    assert query.collection is None
    assert query.hits == ([] if body == ubi.JAVASCRIPT_QUERY else ["a", "b", "c"])


@pytest.mark.parametrize(
    ("moment", "meant"),
    [
        ("2018-11-13T20:20:39+00:00", datetime(2018, 11, 13, 20, 20, 39, tzinfo=UTC)),
        ("2018-11-13T20:20:39Z", datetime(2018, 11, 13, 20, 20, 39, tzinfo=UTC)),
        ("2018-11-13T20:20:39", datetime(2018, 11, 13, 20, 20, 39, tzinfo=UTC)),
        ("2024-05-16T12:34:56.789+0200", datetime(2024, 5, 16, 10, 34, 56, 789_000, UTC)),
        (1724944081669, datetime(2024, 8, 29, 15, 8, 1, 669_000, UTC)),
        (None, None),
        ("", None),
    ],
)
def test_times_are_read_as_collectors_write_them(moment: Any, meant: datetime | None) -> None:
    assert UbiEvent.model_validate({"action_name": "view", "timestamp": moment}).timestamp == meant


def test_hits_keep_the_ranks_that_they_had_up_to_the_hundredth() -> None:
    query = UbiQuery.model_validate(
        {"user_query": "q", "query_response_hit_ids": ["x", 7, "a", 7, *map(str, range(200))]}
    )
    shown = query.shown({"7", "a", "90", "99"})
    assert [(result.document, result.rank) for result in shown] == [("7", 2), ("a", 3), ("90", 95)]


def test_an_event_takes_nothing_that_its_action_does_not_mean() -> None:
    attributes = {"object": {"object_id": 7}, "position": {"ordinal": 3}, "dwell_time": 2}
    row = {"action_name": " Click ", "message": "User abc clicked", "event_attributes": attributes}
    event = UbiEvent.model_validate(row)
    assert (event.action, event.document, event.value, event.note) == ("click", "7", None, None)
    assert UbiEvent.model_validate(row | {"action_name": "dwell"}).value == 2
    assert UbiEvent.model_validate(row | {"action_name": "impression"}).value == 3
    assert UbiEvent.model_validate(row | {"action_name": "dislike"}).note == "User abc clicked"
    assert not UbiEvent.model_validate(row | {"action_name": "product_hover"}).interpreted


def test_an_id_of_contents_does_not_depend_on_their_order_and_refuses_what_has_no_bottom() -> None:
    assert content_id({"a": 1, "b": [2]}) == content_id({"b": [2], "a": 1}) != content_id({"a": 1, "b": [3]})
    with pytest.raises(InvalidRequest, match="nested"):
        content_id(json.loads('{"a":' * 400 + "1" + "}" * 400))


NAMES = ["action_name", "user_query", "userQuery", "query_id", "event_attributes", "object", "object_id", "timestamp"]
NAMES += ["position", "ordinal", "query_response_hit_ids", "query_attributes", "collection", "_source", "index"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3) | st.just("click"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
)


@given(VALUES)
def test_any_json_is_read_or_refused(line: Any) -> None:
    row = row_of(line)
    if is_bulk_action(line) or not isinstance(row, dict):
        return
    form = UbiEvent if is_event(row) else UbiQuery
    try:
        read = form.model_validate(row)
    except ValidationError:
        return
    if isinstance(read, UbiEvent):
        assert isinstance(read.value, float | None)
        assert isinstance(read.document, str | None)
    else:
        assert all(isinstance(hit, str) for hit in read.hits)
        assert read.search("01", "default", read.shown(read.hits)).query == read.user_query.strip()
