"""Which queries are nearly equal, that none is overlooked, and that numbers tell them apart."""

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.corpus.near_duplicates import alike, near_queries, sketch_of
from service.corpus.sides import words_of

SUBJECTS = ("invoice", "password", "webhook", "calendar", "dashboard", "licence", "cluster", "backup", "printer")
VERBS = ("export", "delete", "rename", "share", "archive", "restore", "print", "schedule", "translate")


class Kept:
    """Sketches in a list."""

    def __init__(self) -> None:
        self.rows: list[tuple[bytes, bytes, frozenset[bytes]]] = []

    def sharing(self, bands: Sequence[bytes]) -> Iterable[tuple[bytes, bytes]]:
        return [(node, sketch) for node, sketch, theirs in self.rows if theirs & set(bands)]

    def add(self, node: bytes, sketch: bytes, bands: Sequence[bytes]) -> None:
        self.rows.append((node, sketch, frozenset(bands)))


def near(*queries: str) -> dict[bytes, list[bytes]]:
    return near_queries({query.encode(): words_of(query) for query in queries}, Kept())


@pytest.mark.parametrize(
    ("query", "other"),
    [
        ("how do I reset my password", "How do I reset my pasword?"),
        ("how to delete a collection", "how to delete collections"),
        ("password reset", "reset my password"),
        ("Wie setze ich mein Passwort zurück?", "wie setze ich mein passwort zurueck"),
        ("как сбросить мой пароль", "как сбросить свой пароль"),
        ("error 401 while I log in", "error 401 when I log in"),
    ],
)
def test_misspellings_and_endings_are_nearly_equal(query: str, other: str) -> None:
    assert near(query, other)[other.encode()] == [query.encode()]


@pytest.mark.parametrize(
    ("query", "other"),
    [
        ("error 401 while I log in", "error 402 while I log in"),
        ("what is new in version 2", "what is new in version 3"),
        ("how do I configure nginx", "how do I configure haproxy"),
        ("how do I reset my password", "how do I change my address"),
        ("vpn", "ssh"),
        ("", "a"),
        ("?", "!"),
    ],
)
def test_other_questions_are_not(query: str, other: str) -> None:
    assert near(query, other)[other.encode()] == []


def test_few_that_nearly_equal_an_earlier_one_are_overlooked() -> None:
    questions = [f"how can I {verb} the old {subject} of a colleague" for verb in VERBS for subject in SUBJECTS]
    misspelt = [question.replace("colleague", "coleague") for question in questions]
    close = near(*questions, *misspelt)
    overlooked = [
        question
        for question, other in zip(questions, misspelt, strict=True)
        if question.encode() not in close[other.encode()]
    ]
    assert len(overlooked) <= 2


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_sketch_has_one_size_and_comparing_has_no_order(query: str, other: str) -> None:
    one, two = (sketch_of(words_of(text)) for text in (query, other))
    assert (len(one), len(two)) == (96, 96)
    assert alike(one, []) == []
    assert alike(one, [two, one]) == [alike(two, [one])[0], True]
