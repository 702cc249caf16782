"""Tables become a document a row, whatever their columns are called, and a row without a text is told."""

import pytest

from instar.loading.piece import Unreadable
from instar.loading.rows import of_csv, of_json_lines


def test_a_table_gives_texts_ids_and_metadata() -> None:
    (piece,) = of_csv('id,Title,text,year\n7,Closing,"We close, at five.",2026\n')
    assert (piece.identity, piece.headings, piece.text) == ("7", ("Closing",), "We close, at five.")
    assert piece.metadata == {"Title": "Closing", "year": "2026"}


@pytest.mark.parametrize("sign", [";", "\t"])
def test_semicolons_and_tabs_are_told_from_commas(sign: str) -> None:
    rows = [["id", "content"], ["a", "One, two."], ["b", "Three, four."]]
    assert [piece.text for piece in of_csv("\n".join(sign.join(row) for row in rows))] == ["One, two.", "Three, four."]


def test_lines_of_a_service_and_of_beir_are_read() -> None:
    instar, beir = of_json_lines(
        '{"id": "a", "text": "One.", "metadata": {"year": 2026}}\n\n{"_id": "b", "title": "T", "text": "Two."}\n'
    )
    assert (instar.identity, instar.text, instar.metadata) == ("a", "One.", {"year": 2026})
    assert (beir.identity, beir.headings, beir.text) == ("b", ("T",), "Two.")


@pytest.mark.parametrize(
    ("line", "words"), [("{", "line 1 is no JSON"), ("[1]", "line 1 is no object"), ('{"a": 1}', "row 1 has no text")]
)
def test_what_is_no_document_is_told(line: str, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        list(of_json_lines(line))


def test_a_string_of_json_may_hold_what_ends_a_line_elsewhere() -> None:
    text = "One\u2028two\u0085three"
    (piece,) = of_json_lines(f'{{"id": "a", "text": "{text}"}}\n')
    assert piece.text == text


@pytest.mark.parametrize("value", ["NaN", "Infinity", '"\\ud800"'])
def test_a_value_that_is_in_no_json_is_told(value: str) -> None:
    with pytest.raises(Unreadable, match="line 2 is no JSON"):
        list(of_json_lines(f'{{"id": "a", "text": "One."}}\n{{"id": "b", "text": "Two.", "size": {value}}}\n'))


def test_a_cell_may_hold_a_long_article() -> None:
    article = "word " * 50_000
    (piece,) = of_csv(f"id,text\n7,{article}\n")
    assert piece.text == article


def test_an_export_gives_the_metadata_of_its_documents_and_not_its_own() -> None:
    (piece,) = of_json_lines(
        '{"id": "a", "collection": "x", "text": "One.", "metadata": {"empty": "", "cursor": 7}, "cursor": 330}'
    )
    assert piece.metadata == {"empty": "", "cursor": 7}
    (piece,) = of_json_lines('{"id": "a", "collection": "stamps", "text": "One.", "metadata": {}}')
    assert piece.metadata == {"collection": "stamps"}
