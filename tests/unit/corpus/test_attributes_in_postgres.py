"""The columns of metadata values in PostgreSQL: they compare as the values do, and the values come back."""

from math import inf

from hypothesis import example, given
from hypothesis import strategies as st

from service.corpus.filters import IndexedValue, Kind
from service.corpus.postgres.attributes import columns_of, value_of

whole = st.integers(-(2**63), 2**63 - 1)
numbers = whole | st.floats(allow_nan=False) | whole.map(float)


def columns(kind: Kind, value: str | float) -> tuple[object, bytes]:
    return columns_of(IndexedValue(kind, value))


@given(numbers, numbers)
@example(2**62, 2.0**62)
@example(2**53 + 1, 2.0**53)
@example(0.1, 0.1 + 2**-56)
@example(1, 1.0)
@example(-0.0, 0)
@example(-inf, -1.7e308)
def test_numbers_compare_as_numbers(one: float, other: float) -> None:
    ours, others = columns("number", one), columns("number", other)
    assert (ours == others, ours < others) == (one == other, one < other)


@given(st.text(), st.text())
def test_strings_compare_by_code_points(one: str, other: str) -> None:
    ours, others = columns("string", one), columns("string", other)
    assert (ours == others, ours < others) == (one == other, one < other)


@given(numbers)
def test_numbers_come_back_with_their_type(number: float) -> None:
    back = value_of("number", *columns_of(IndexedValue("number", number)))
    assert (type(back), back) == (type(number), number)


@given(st.text())
def test_strings_come_back(text: str) -> None:
    assert value_of("string", *columns_of(IndexedValue("string", text))) == text
