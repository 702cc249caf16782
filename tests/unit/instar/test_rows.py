"""Tables become a document a row, whatever their columns are called, and a row without a text is told."""

import csv
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instar.loading.piece import Unreadable
from instar.loading.rows import of_csv, of_json_lines

# Letters, and above all the signs that mean something in a table.
CELLS = st.text(st.sampled_from(",;\t\"' \n\r\\ab1") | st.characters(exclude_categories=("Cs", "Cn")), max_size=12)


def written(rows: list[list[str]], delimiter: str) -> str:
    table = StringIO(newline="")
    csv.writer(table, delimiter=delimiter).writerows(rows)
    return table.getvalue()


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


def test_a_column_of_metadata_that_is_no_object_is_metadata() -> None:
    (piece,) = of_csv("id,text,metadata\na,One.,draft\n")
    assert piece.metadata == {"metadata": "draft"}
    listed, nothing = of_json_lines('{"text": "One.", "metadata": ["draft"]}\n{"text": "Two.", "metadata": null}')
    assert (listed.metadata, nothing.metadata) == ({"metadata": ["draft"]}, {})


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_quotation_of_which_no_quote_is_doubled_early_is_stored_whole(delimiter: str) -> None:
    text = 'He said "hi, you; there" and left.'
    plain = [[str(number), f"Don't, or {number} won't; 'so'."] for number in range(600)]
    pieces = list(of_csv(written([["id", "text"], *plain, ["last", text]], delimiter)))
    assert [piece.text for piece in pieces] == [*(row[1] for row in plain), text]


@settings(max_examples=100, deadline=None)
@given(
    delimiter=st.sampled_from(",;\t"),
    names=st.sampled_from([["text"], ["id", "text"], ["id", "size, in cm", "text"], ["note; a", "b, c", "text", "id"]]),
    data=st.data(),
)
def test_all_that_a_writer_of_tables_writes_is_read_alike(
    delimiter: str, names: list[str], data: st.DataObject
) -> None:
    rows = data.draw(st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), max_size=6))
    expected = [dict(zip(names, row, strict=True)) for row in rows]
    pieces = [piece for piece in of_csv(written([names, *rows], delimiter)) if piece.text]
    with_text = [row for row in expected if row["text"].strip()]
    assert [piece.text for piece in pieces] == [row["text"] for row in with_text]
    for piece, row in zip(pieces, with_text, strict=True):
        assert piece.identity == (row["id"] if row.get("id", "").strip() else None)
        others = {name: cell for name, cell in row.items() if cell and name not in ("id", "text")}
        assert {name: cell for name, cell in piece.metadata.items() if name != "id"} == others


def test_a_table_of_one_column_is_read_by_lines() -> None:
    assert [piece.text for piece in of_csv("text\nHello, world; you\n")] == ["Hello, world; you"]


def test_a_row_with_more_cells_than_the_header_is_told_with_its_line() -> None:
    table = 'id,text\n1,"two\nlines"\n2,Hello, world\n'
    with pytest.raises(
        Unreadable, match="line 4 has 3 cells, and the header 2: put quotes around a cell with ',' in it"
    ):
        list(of_csv(table))
    # A spreadsheet leaves such ones behind its last column.
    assert [piece.text for piece in of_csv("id,text\n1,One.,,\n")] == ["One."]


@pytest.mark.parametrize("cell", ['"open', '"closed" and more'])
def test_a_quote_that_swallows_what_follows_is_told_with_its_line(cell: str) -> None:
    with pytest.raises(Unreadable, match=r"line 3 is no CSV .*: double each quote within a cell"):
        list(of_csv(f"id,text\n1,One.\n2,{cell}\n3,Three.\n"))


def test_empty_rows_are_skipped_and_a_row_without_text_has_an_empty_one() -> None:
    table = ",,\n\nid,title,text\n,,\n1,,One.\n2, ,\n3,Three,\n , ,\n"
    assert [(piece.identity, piece.text) for piece in of_csv(table)] == [("1", "One."), ("2", ""), ("3", "Three")]


def test_a_title_alone_is_the_text_as_in_corpora_of_beir() -> None:
    lines = [
        '{"_id": "1", "title": "Shops", "text": ""}',
        '{"_id": "2", "title": "", "text": "", "metadata": {"url": "x"}}',
        "{}",
        '{"_id": "3", "title": "", "text": "Three."}',
    ]
    shops, nothing, three = of_json_lines("\n".join(lines))
    assert (shops.identity, shops.headings, shops.text) == ("1", (), "Shops")
    assert (nothing.identity, nothing.text) == ("2", "")
    assert (three.identity, three.headings, three.text) == ("3", (), "Three.")


def test_a_null_is_no_word() -> None:
    rows = '{"id": null, "title": null, "text": "One."}\n{"id": 0, "text": null, "content": "Two."}\n'
    one, two = of_json_lines(rows)
    assert (one.identity, one.headings, one.text, one.metadata) == (None, (), "One.", {})
    assert (two.identity, two.text) == ("0", "Two.")


def test_a_table_whose_text_is_called_otherwise_is_told_even_with_a_title() -> None:
    with pytest.raises(Unreadable, match="row 2 has no text in 'title', 'words': name the column with the text 'text'"):
        list(of_csv("title,words\nT,One.\nU,Two.\n"))


def test_a_line_that_leaves_its_text_out_stops_no_other() -> None:
    assert [piece.text for piece in of_json_lines('{"id": "a", "year": 1}\n{"text": "Two."}\n')] == ["", "Two."]


@pytest.mark.parametrize("value", ['["a", "b"]', '{"a": "b"}', "5", "true"])
def test_a_text_that_is_no_string_is_told_with_its_line(value: str) -> None:
    with pytest.raises(Unreadable, match="line 2 has no string in 'text': write the text in quotes"):
        list(of_json_lines(f'{{"id": "a", "text": "One."}}\n{{"id": "b", "text": {value}}}\n'))


def test_a_title_that_is_no_string_stands_above_nothing() -> None:
    (piece,) = of_json_lines('{"id": "a", "title": ["T"], "text": "One."}\n')
    assert (piece.headings, piece.metadata) == ((), {"title": ["T"]})
