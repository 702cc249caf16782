"""Numbers that somebody has typed are read, and whatever else was typed is none."""

import pytest

from service.console.typed_numbers import typed_number


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("12", 12), ("9" * 18, 10**18 - 1), ("007", 7)])
def test_numbers_are_read(text: str, number: int) -> None:
    assert typed_number(text) == number


@pytest.mark.parametrize("text", ["", "-1", "1.5", "²", "٣", " 1", "9" * 19, "9" * 5000])
def test_other_texts_are_no_numbers(text: str) -> None:
    assert typed_number(text) is None
    assert typed_number("1000", 3) is None
