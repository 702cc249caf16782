"""Conditions in addresses are read as they were written, whatever is in them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.console.conditions import condition_of, filter_of, read

KEYS = st.text(st.sampled_from('ab="\\[{ é'), max_size=6)
VALUES = st.one_of(KEYS, st.integers(-9, 9), st.booleans())


@given(KEYS, VALUES)
def test_a_condition_is_read_as_it_was_written(key: str, value: Any) -> None:
    assert read(condition_of(key, value)) == (key, value)


@given(KEYS.filter(lambda key: "=" not in key), VALUES)
def test_an_address_of_old_is_read_as_before(key: str, value: Any) -> None:
    assert read(f"{key}={json.dumps(value)}") == (key, value)


@pytest.mark.parametrize(
    ("condition", "pair"),
    [
        ("year=2026", ("year", 2026)),
        ("year", ("year", "")),
        ("a=b=c", ("a", "b=c")),
        ('="a=b"="c=d"', ("a=b", "c=d")),
        ('="a=b', ("", '"a=b')),
        ('="a"', ("", "a")),
        ('="\\ud800"=1', ("", '"\\ud800"=1')),
        ("a=NaN", ("a", "NaN")),
        ("a=" + "[" * 10_000, ("a", "[" * 10_000)),
    ],
)
def test_odd_conditions_are_read_as_something(condition: str, pair: tuple[str, Any]) -> None:
    assert read(condition) == pair


def test_conditions_on_one_key_all_count() -> None:
    assert filter_of([]) == {}
    assert filter_of(["a=1", 'b="x"']) == {"a": 1, "b": "x"}
    assert filter_of(["a=1", "a=2"]) == {"and": [{"a": 1}, {"a": 2}]}
