"""Words: identifiers, any script, and what both sides of a keyword search agree on."""

import sys
import time
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.index.keywords import words
from service.index.keywords.analysis import Analysis
from service.index.keywords.fresh import FreshPart, Row
from service.index.keywords.highlights import spans

FOUND = [
    ("place_pin -layer", "run place_pin with -layer metal1 first"),
    ("E-1043", "the error E-1043 means that a tithe is missing"),
    ("1043", "the error E-1043 means that a tithe is missing"),
    ("getUserName", "call getUserName() twice"),
    ("foo.bar::Baz", "see foo.bar::Baz for more"),
    ("CAFÉ", "a cafe by the harbour"),
    ("cafe", "un caf\u00e9 noir"),
    ("cafe", "un cafe\u0301 noir"),
    ("pinning", "pins are placed here"),
    ("Straße", "in der STRASSE oder Straße"),
    ("ABC", "\uff21\uff22\uff23 in full width"),
    ("数据库", "连接数据库失败"),
    ("カタカナ", "ｶﾀｶﾅ in half width"),
    ("ひらがな", "これはひらがなです"),
    ("검색", "문서를 검색합니다"),
    ("ค้นหา", "ระบบค้นหาเอกสาร"),
    ("हिन्दी", "यह हिन्दी में है"),
    ("Москва", "в городе москва"),
    ("العربية", "اللغة العربية هنا"),
    # Composed and decomposed, as file names of macOS and PDFs have it.
    ("Мой ёж", "\u0435\u0308\u0436"),
    ("\u0435\u0308\u0436", "Мой ёж"),
    ("москва\u0301", "в городе Москва"),
    ("が", "か\u3099"),
    ("データ", "ﾃﾞｰﾀ"),
    ("ﾃﾞｰﾀ", "データ"),
    ("한국", "\u1112\u1161\u11ab\u1100\u116e\u11a8"),
    ("E17", "the error E-17 is new"),
    ("E-17", "the error E17 is new"),
    ("e17", "the error E 17 is new"),
    ("E-17", "the error E 17 is new"),
    ("E 17", "the error E-17 is new"),
    ("COVID19", "COVID-19 closed it"),
    ("\U0001f44d", "\U0001f44d\U0001f3fd well done"),
    ("\U0001f44d\U0001f3fd", "well done\U0001f44d"),
    ("\u2764\ufe0f", "with \u2764 from us"),
    ("\U0001f1e9\U0001f1ea", "made in \U0001f1e9\U0001f1ea"),
    ("\U0001f468\u200d\U0001f469\u200d\U0001f467", "a \U0001f468\u200d\U0001f469\u200d\U0001f467 of three"),
]
NOT_FOUND = [
    ("place_pins_now", "nothing of it"),
    ("数库", "连接数据库失败"),
    ("cat", "concatenate"),
    ("123", "order 00123"),
    ("00123", "order 123"),
    ("2.1", "order 21"),
    ("E 17", "the error E17 is new"),
    ("\U0001f44d", "\U0001f44e no"),
    ("-", "a - b"),
    ('" OR collection : *', "any of it"),
]


ANALYSIS = Analysis()


def is_found(query: str, text: str) -> bool:
    part = FreshPart()
    part.add([Row(1, "any", ANALYSIS.of_document(text))])
    return any(part.view().count(clause, "any") for clause in ANALYSIS.of_query(query))


@pytest.mark.parametrize(("query", "text"), FOUND)
def test_what_people_look_for_is_found(query: str, text: str) -> None:
    assert is_found(query, text)


@pytest.mark.parametrize(("query", "text"), NOT_FOUND)
def test_what_is_not_there_is_not_found(query: str, text: str) -> None:
    assert not is_found(query, text)


def test_an_identifier_is_looked_up_as_a_whole_and_in_parts() -> None:
    assert words.phrases("set place_pin", 9) == [("set",), ("place", "pin"), ("place",), ("pin",)]
    assert words.phrases("数据库 x 数", 9) == [("数", "据"), ("据", "库"), ("x",), ("数",)]
    assert words.phrases("a a b c", 2) == [("a",), ("b",)]


def test_a_text_without_spaces_is_no_phrase_of_any_length() -> None:
    fields = ",".join(f'"a{number}":{number}b' for number in range(3000))
    looked_up = words.phrases(fields, words.MOST_PHRASES)
    assert max(map(len, looked_up)) == words.MOST_JOINED
    assert is_found(fields, f"as in {fields}")
    together = "1a" * 3000
    assert max(map(len, words.spellings(together, words.MOST_PHRASES)), default=0) <= words.MOST_JOINED


def test_other_spellings_are_looked_up_beside_the_query() -> None:
    assert words.spellings("set E-17 wi-fi v2.1 10-20 x86_64", 99) == [
        ("e17",),
        ("v", "2"),
        ("x", "86"),
    ]


@given(st.text(min_size=1, max_size=40))
def test_every_text_that_has_a_word_is_found_by_itself(text: str) -> None:
    assert is_found(text, text) == bool(words.phrases(text, 99))


@given(st.text(max_size=30), st.text(max_size=30))
def test_highlights_are_ascending_places_of_the_text(query: str, text: str) -> None:
    (highlights,) = spans(ANALYSIS, ANALYSIS.of_query(query), [text])
    assert all(0 <= start < end <= len(text) for start, end in highlights)
    assert all(left[1] <= right[0] for left, right in pairwise(highlights))
    assert bool(highlights) == is_found(query, text)


# Letters of several scripts that have a composed and a decomposed form, in both.
letters = st.text("aé\u0301йёи\u0306\u0308がか\u3099ﾃﾞ한ㄱㅏ\u1161\u11ab\u0316½ -", max_size=20)


@given(letters, letters)
def test_a_decomposed_text_has_the_words_and_highlights_of_the_composed(query: str, text: str) -> None:
    composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    assert [word for word, _, _ in words.origins(decomposed)] == words.spaced(composed).split()
    both = spans(ANALYSIS, ANALYSIS.of_query(query), [composed, decomposed])
    marked, other = (
        [unicodedata.normalize("NFC", each[start:end]) for start, end in places]
        for each, places in zip((composed, decomposed), both, strict=True)
    )
    assert marked == other


# Marks of all kinds beside letters of many scripts, joiners, and what has a composition of several characters.
HOSTILE = "aé\u0301\u0308\u0316\u0344か\u3099ﾃﾞ한\u1161\u11ab½ -\u034f\u0f77\u200d\ufe0fहि👍🏽\U0001d165\U000e0100"


@given(st.text(st.one_of(st.sampled_from(HOSTILE), st.characters(codec="utf-8")), max_size=20))
def test_words_with_their_places_are_those_that_are_looked_up(text: str) -> None:
    origins = words.origins(text)
    assert [word for word, _, _ in origins] == words.spaced(text).split()
    # Each place ends where nothing joins the character before.
    assert all(end == len(text) or not words._joining().match(text[end]) for _, _, end in origins)


def test_no_character_joins_the_one_before_but_those_that_are_looked_for() -> None:
    joining = words._joining()
    characters = [chr(code) for code in range(sys.maxunicode + 1)]
    assert [each for each in characters if joining.match(each)] == [each for each in characters if words._joins(each)]


@pytest.mark.parametrize("marks", ["\u0301\u0316", "\U0001d165\U0001d16d"])
def test_many_marks_on_one_letter_are_read_in_no_time(marks: str) -> None:
    """NFKC would put them in order one by one: a minute for a text like this."""
    text = f"kazu e{marks * 100_000}"
    began = time.process_time()
    assert is_found("kazu", text)
    assert spans(ANALYSIS, ANALYSIS.of_query("kazu"), [text]) == [[(0, 4)]]
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("query", "text", "marked"),
    [
        ("place_pin -layer", "Use place_pin with -layer; placing pins", ["place_pin", "layer", "placing pins"]),
        ("数据库", "连接数据库失败", ["数据库"]),
        ("abc", "连接 \uff21\uff22\uff23 失败", ["\uff21\uff22\uff23"]),
        ("cafe", "Two Cafés, one café", ["Cafés", "café"]),
        ("мой", "и\u0306 мои\u0306 ёж", ["мои\u0306"]),
        ("データ", "元のﾃﾞｰﾀと", ["ﾃﾞｰﾀ"]),
        ("x", "\1x\2 y", ["x"]),
        ("a.b a.b.c", "c a_b", ["c", "a_b"]),
    ],
)
def test_highlights_are_the_words_of_the_query(query: str, text: str, marked: list[str]) -> None:
    (highlights,) = spans(ANALYSIS, ANALYSIS.of_query(query), [text])
    assert [text[start:end] for start, end in highlights] == marked
