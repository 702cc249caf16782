"""Lines of JSONL and CSV files become documents, and whatever is wrong is said of its line."""

from collections.abc import Callable

import pytest

from service.console.portions import LineError, Portion, read_csv, read_jsonl
from service.console.public_api import ApiError

HEADER = "id,text,year,note\n"


def test_each_line_of_jsonl_is_a_document_with_its_number() -> None:
    portion = read_jsonl('{"id": "a", "text": "one"}\n\n  \n{"text": "two"}\r\n', 7)
    assert portion.documents == [{"id": "a", "text": "one"}, {"text": "two"}]
    assert portion.lines == [7, 10]


def test_a_mark_at_the_beginning_of_a_file_is_no_part_of_it() -> None:
    assert read_jsonl('\ufeff{"text": "one"}', 1).documents == [{"text": "one"}]
    assert read_csv("one\n", 2, "\ufefftext\n").documents == [{"text": "one", "metadata": {}}]


@pytest.mark.parametrize("line", ["{", "[1]", '"text"', "null", '{"text": NaN}', "[" * 100_000])
def test_a_line_that_is_no_object_is_named(line: str) -> None:
    with pytest.raises(LineError) as refused:
        read_jsonl(f'{{"text": "fine"}}\n{line}', 20)
    assert refused.value.line == 21


def test_rows_of_csv_begin_where_they_begin_whatever_is_quoted() -> None:
    portion = read_csv('a,"one\ntwo, ""three""",2026,\n\nb,four,,x\n', 2, HEADER)
    assert portion.documents == [
        {"id": "a", "text": 'one\ntwo, "three"', "metadata": {"year": 2026}},
        {"id": "b", "text": "four", "metadata": {"note": "x"}},
    ]
    assert portion.lines == [2, 5]


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("2026", 2026),
        ("-3", -3),
        ("0", 0),
        ("2.50", 2.5),
        ("true", True),
        ("false", False),
        # What a number would lose is no number.
        ("007", "007"),
        ("1e5", "1e5"),
        ("+1", "+1"),
        ("12345678901234567890", "12345678901234567890"),
        ("٣", "٣"),
        ("True", "True"),
        ("null", "null"),
        (" 1", " 1"),
    ],
)
def test_numbers_are_numbers_only_if_nothing_is_lost(value: str, meaning: object) -> None:
    (document,) = read_csv(f"a,one,{value},\n", 2, HEADER).documents
    assert document["metadata"] == {"year": meaning}
    assert type(document["metadata"]["year"]) is type(meaning)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_first_line_says_how_columns_are_separated(delimiter: str) -> None:
    portion = read_csv(delimiter.join(("a", "one")) + "\n", 2, delimiter.join(("id", "text")))
    assert portion.documents == [{"id": "a", "text": "one", "metadata": {}}]


@pytest.mark.parametrize(
    ("read", "line"),
    [
        (lambda: read_csv("a\n", 2, "id,year\n"), 1),
        (lambda: read_csv("a\n", 2, ""), 1),
        (lambda: read_csv("a,b\n", 2, "text,text\n"), 1),
        (lambda: read_csv("a,one,1,\nb,two\n", 2, HEADER), 3),
        (lambda: read_csv('a,"one\n', 9, HEADER), 9),
        (lambda: read_csv('a,"one"x,1,\n', 9, HEADER), 9),
    ],
)
def test_a_row_that_is_wrong_is_named(read: Callable[[], Portion], line: int) -> None:
    with pytest.raises(LineError) as refused:
        read()
    assert refused.value.line == line


def test_an_error_about_a_document_is_one_about_its_line() -> None:
    portion = Portion([{}, {}], [7, 10])
    blamed = portion.blame(ApiError(422, "x", "documents.1.text is blank: send some text", "documents.1.text"))
    assert blamed is not None
    assert (blamed.line, blamed.message) == (10, "text is blank: send some text")
    assert portion.blame(ApiError(503, "x", "too much waits already")) is None
    assert portion.blame(ApiError(422, "x", "documents is empty", "documents")) is None
    assert portion.blame(ApiError(422, "x", "documents.9.id is odd", "documents.9.id")) is None
