"""Passages fit into what the model reads, lose no word, and keep their ids when other parts of the text change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from instar.loading.cutting import Cutter
from instar.loading.piece import Piece


def tokenizer() -> str:
    """One that counts words, and puts a token before and after them."""
    words = Tokenizer(WordLevel({"[U]": 0, "[B]": 1, "[E]": 2}, unk_token="[U]"))
    words.pre_tokenizer = Whitespace()
    words.post_processor = TemplateProcessing("[B] $A [E]", special_tokens=[("[B]", 1), ("[E]", 2)])
    return str(words.to_str())


def cut(piece: Piece, limit: int = 24, prompt: str = "") -> list[tuple[str, str, int]]:
    passages = Cutter(tokenizer(), limit, prompt).passages([piece], "guide.md")
    return [(passage.id, passage.text, passage.tokens) for passage in passages]


def test_headings_stand_before_each_passage_and_in_its_id() -> None:
    text = "One two three four five six. " * 6
    first, *others = cut(Piece(("Guide", "Über uns!"), text))
    assert first[0] == "guide.md#guide/über-uns"
    assert others
    assert others[0][0] == "guide.md#guide/über-uns:2"
    assert all(text.startswith("Guide > Über uns!\n\n") for _, text, _ in others)


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=400),
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


def test_two_sections_of_one_name_have_two_ids() -> None:
    pieces = [Piece(("A",), "one"), Piece(("A",), "two"), Piece(("B",), "three")]
    assert [passage.id for passage in Cutter(tokenizer(), 24, "").passages(pieces, "g")] == ["g#a", "g#a-2", "g#b"]


@pytest.mark.parametrize("headings", [("x " * 30,), ("top " * 30, "low")])
def test_long_headings_leave_room_for_the_text(headings: tuple[str, ...]) -> None:
    (_, text, _) = cut(Piece(headings, "one two three"))[0]
    assert text.endswith("one two three")


def test_a_row_keeps_its_id() -> None:
    assert [identity for identity, _, _ in cut(Piece(("T",), "a b c. " * 12, identity="row-7"))][:2] == [
        "row-7",
        "row-7:2",
    ]
