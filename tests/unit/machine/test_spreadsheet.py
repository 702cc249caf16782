"""Cells of files that people open in a spreadsheet."""

from hypothesis import given
from hypothesis import strategies as st

from service.machine import spreadsheet

TEXTS = st.text(st.sampled_from("'=+-@\t\r\na 1")) | st.text()


@given(TEXTS)
def test_no_cell_begins_like_a_formula_and_each_says_which_text_it_is(text: str) -> None:
    cell = spreadsheet.harmless(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert spreadsheet.plain(cell) == text


@given(TEXTS, TEXTS)
def test_texts_that_differ_have_cells_that_differ(first: str, second: str) -> None:
    assert (spreadsheet.harmless(first) == spreadsheet.harmless(second)) == (first == second)
