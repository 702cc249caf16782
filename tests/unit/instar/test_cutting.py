"""Passages fit into what the model reads, lose no word, and keep their ids when other parts of the text change."""

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from instar.loading.converting import from_html
from instar.loading.cutting import Cutter
from instar.loading.markdown import pieces
from instar.loading.piece import Piece


def tokenizer(vocabulary: int = 3) -> str:
    """One that counts words, and puts a token before and after them."""
    names = ["[U]", "[B]", "[E]", *map(str, range(3, vocabulary))]
    words = Tokenizer(WordLevel({name: number for number, name in enumerate(names)}, unk_token="[U]"))
    words.pre_tokenizer = Whitespace()
    words.post_processor = TemplateProcessing("[B] $A [E]", special_tokens=[("[B]", 1), ("[E]", 2)])
    return str(words.to_str())


def cut(piece: Piece, limit: int = 24, prompt: str = "") -> list[tuple[str, str, int]]:
    passages = Cutter(tokenizer(), limit, prompt).passages([piece], "guide.md")
    return [(passage.id, passage.text, passage.tokens) for passage in passages]


LINES = [
    "",
    "| a | b |",
    "|---|---|",
    "| one two | three |",
    "Words of a text stand here.",
    "> | c | d |",
    "> |-|-|",
    "- x",
    "```",
    "```py",
]


def test_headings_stand_before_each_passage_and_in_its_id() -> None:
    text = "One two three four five six. " * 6
    first, *others = cut(Piece(("Guide", "Über uns!"), text))
    assert first[0] == "guide.md#guide/über-uns"
    assert others
    assert others[0][0] == "guide.md#guide/über-uns:2"
    assert all(text.startswith("Guide > Über uns!\n\n") for _, text, _ in others)


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=400)
    | st.lists(st.sampled_from(LINES), min_size=2, max_size=30).map("\n".join),
    st.lists(st.text(st.characters(codec="utf-8"), max_size=40), max_size=3),
    st.integers(16, 64),
    st.sampled_from(["", "passage: "]),
)
def test_no_passage_is_longer_than_the_model_reads_and_no_word_is_lost(
    text: str, headings: list[str], limit: int, prompt: str
) -> None:
    cutter = Cutter(tokenizer(), limit, prompt)
    passages = list(cutter.passages([Piece(tuple(headings), text)], "f"))
    assert all(passage.tokens <= limit for passage in passages)
    found = "".join("".join(passage.text.split()) for passage in passages)
    assert all(word in found for word in text.split() if len(word) < 8)
    assert len({passage.id for passage in passages}) == len(passages)
    assert all(len(passage.id.encode()) <= 512 for passage in passages)


@pytest.mark.parametrize(
    "text",
    [
        "These are the fields:\n\n| field | meaning |\n|---|---|\n" + "| one | two three four five |\n" * 8,
        "```python\n" + "value = compute(one, two, three)\n" * 9 + "```",
        "A first paragraph of seven words stands here. " * 3 + "\n\n- Method: POST",
    ],
)
@pytest.mark.parametrize("limit", [48, 64, 90])
def test_no_passage_is_a_line_that_says_nothing_without_its_neighbour(text: str, limit: int) -> None:
    passages = cut(Piece((), text), limit)
    assert all(tokens > limit / 8 for _, _, tokens in passages)


def rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|")]


HEAD = ["| Plan | Limit of a day |", "|:---|---:|"]
ROWS = [f"| plan{n} | {n} requests |" for n in range(20)]


@pytest.mark.parametrize("limit", [48, 60, 90])
def test_each_part_of_a_long_table_has_its_head_row(limit: int) -> None:
    table = "\n".join([*HEAD, *ROWS])
    text = f"The limits of each plan are these:\n\n{table}\n\nWrite to us for more than that, and we will answer."
    passages = cut(Piece(("Limits",), text), limit)
    tables = [lines for _, text, _ in passages if (lines := rows(text))]
    assert len(tables) > 1
    assert all(lines[:2] == HEAD for lines in tables)
    assert [row for lines in tables for row in lines[2:]] == ROWS
    assert all(tokens <= limit for _, _, tokens in passages)
    # What stands below a table has no use for its head.
    assert all(lines[2:] for lines in tables)


def test_a_table_of_a_page_in_html_has_its_head_row_in_each_part() -> None:
    body = "".join(f"<tr><td>plan{n}</td><td>{n} requests</td></tr>" for n in range(20))
    page = f"<main><h1>Limits</h1><table><tr><th>Plan</th><th>Limit</th></tr>{body}</table></main>"
    (piece,) = pieces(from_html(page.encode()).text, "limits")
    passages = cut(piece, 60)
    assert len(passages) > 2
    assert all(rows(text)[0] == "| Plan | Limit |" for _, text, _ in passages)


@pytest.mark.parametrize("limit", [40, 60, 90])
def test_each_part_of_long_code_has_its_fences(limit: int) -> None:
    code = [f"value{n} = compute(one, two, three)" for n in range(20)]
    text = "\n".join(
        ["Call it like this, and again:", "", "```python", *code, "```", "", "That is all there is to say."]
    )
    passages = [lines for _, text, _ in cut(Piece(("Use",), text), limit) if (lines := fenced(text))]
    assert len(passages) > 1
    assert all((lines[0], lines[-1]) == ("```python", "```") for lines in passages)
    assert [line for lines in passages for line in lines[1:-1]] == code


def fenced(text: str) -> list[str]:
    """The lines of a text from its first fence to its last."""
    lines = text.splitlines()
    fences = [number for number, line in enumerate(lines) if line.startswith("```")]
    return lines[fences[0] : fences[-1] + 1] if fences else []


def test_a_head_row_that_takes_most_of_a_part_or_names_nothing_is_not_repeated() -> None:
    for head in ("| " + "a long name of a column " * 3 + "| other |", "| | |"):
        text = "\n".join([head, "|---|---|", *ROWS])
        _, *others = cut(Piece((), text), 48)
        assert others
        assert all(rows(text)[0] in ROWS for _, text, _ in others)


def test_two_sections_of_one_name_have_two_ids() -> None:
    sections = [Piece(("A",), "one"), Piece(("A",), "two"), Piece(("B",), "three")]
    assert [passage.id for passage in Cutter(tokenizer(), 24, "").passages(sections, "g")] == ["g#a", "g#a-2", "g#b"]


@pytest.mark.parametrize("headings", [("x " * 30,), ("top " * 30, "low")])
def test_long_headings_leave_room_for_the_text(headings: tuple[str, ...]) -> None:
    *_, (_, text, _) = cut(Piece(headings, "one two three"))
    assert text.endswith("one two three")
    assert text.startswith(("low", "x x"))


QUESTION = "How do I send back a parcel that was damaged on its way to me?"


def test_all_headings_stand_before_a_text_that_fits_with_them() -> None:
    headings = ("Questions", QUESTION)
    ((_, text, _),) = cut(Piece(headings, "By post."), 32)
    assert text == f"Questions > {QUESTION}\n\nBy post."


@pytest.mark.parametrize(("limit", "times"), [(40, 3), (24, 1)])
def test_a_long_question_stands_before_each_part_of_its_answer_or_once(limit: int, times: int) -> None:
    answer = "Call us, and we send you a label. " * 6
    texts = [text for _, text, _ in cut(Piece(("Questions", QUESTION), answer), limit)]
    assert texts[0].startswith(QUESTION)
    assert [text.count(QUESTION) for text in texts[:times]] == [1] * times
    assert sum(text.count("Call us") for text in texts) == 6
    assert not any("Questions" in text for text in texts)


def test_a_row_keeps_its_id() -> None:
    assert [identity for identity, _, _ in cut(Piece(("T",), "a b c. " * 12, identity="row-7"))][:2] == [
        "row-7",
        "row-7:2",
    ]


@pytest.mark.parametrize("length", [401, 512])
def test_a_row_keeps_an_id_that_the_service_takes_and_its_parts_have_ids_that_it_takes(length: int) -> None:
    row = "é" * (length // 2) + "e" * (length % 2)
    first, *others = [identity for identity, _, _ in cut(Piece((), "a b c. " * 24, identity=row))]
    assert first == row
    assert len(set(others)) > 1
    assert all(len(identity.encode()) <= 512 for identity in others)


def test_a_counted_section_takes_no_id_that_a_heading_has() -> None:
    sections = [Piece((name,), text) for name, text in [("Step", "one"), ("Step", "two"), ("Step 2", "three")]]
    ids = [passage.id for passage in Cutter(tokenizer(), 24, "").passages(sections, "g")]
    assert ids == ["g#step", "g#step-2", "g#step-2-2"]
    ids = [passage.id for passage in Cutter(tokenizer(), 24, "").passages(sections[::-1], "g")]
    assert ids == ["g#step-2", "g#step", "g#step-3"]


def test_a_row_keeps_what_it_says_of_its_source_and_heading() -> None:
    row = Piece(("T",), "text", "row-7", {"source": "handbook.md", "heading": "Closing"})
    (passage,) = Cutter(tokenizer(), 24, "").passages([row], "rows.csv")
    assert passage.metadata == {"source": "handbook.md", "heading": "Closing"}


def test_headings_of_many_lengths_take_no_copies_of_the_vocabulary() -> None:
    cutter = Cutter(tokenizer(vocabulary=50_000), 512, "")
    sections = [Piece(("word " * number,), "text " * 600) for number in range(100)]
    before = psutil.Process().memory_info().rss
    assert len(list(cutter.passages(sections, "g"))) == 200
    assert psutil.Process().memory_info().rss - before < 50 << 20
