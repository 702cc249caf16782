"""Saved questions: lists with names, each question once, and no list too long."""

import pytest

from service.corpus.memory.store import MemoryStore
from service.errors import InvalidRequest, NotFound, TooLarge
from service.learning.question_sets import MOST_CHARACTERS, MOST_QUESTIONS, MOST_SETS, QuestionSets, SavedQuestion


def saved(*queries: str, collection: str = "default") -> list[SavedQuestion]:
    return [SavedQuestion(query=query, collection=collection) for query in queries]


@pytest.fixture
def sets() -> QuestionSets:
    return QuestionSets(MemoryStore(10).records)


def test_a_list_is_replaced_extended_and_removed(sets: QuestionSets) -> None:
    sets.replace("b", saved("one", "two", "one"), "ann")
    sets.replace("a", saved("three"), None)
    assert list(sets.all()) == ["a", "b"]
    assert sets.get("b").questions == saved("one", "two")
    assert sets.get("b").by == "ann"
    sets.add("b", [*saved("two"), *saved("one", collection="other")], "bob")
    assert sets.get("b").questions == [*saved("one", "two"), *saved("one", collection="other")]
    assert sets.get("b").by == "bob"
    sets.add("new", saved("four"), None)
    assert sets.remove("b") == 3
    assert list(sets.all()) == ["a", "new"]


def test_an_unknown_list_is_an_error_that_names_the_others(sets: QuestionSets) -> None:
    with pytest.raises(NotFound, match="PUT one first"):
        sets.get("a")
    sets.replace("b", saved("one"), None)
    for call in (sets.get, sets.remove):
        with pytest.raises(NotFound, match="use one of b"):
            call("a")


def test_no_list_is_too_long_and_there_are_not_too_many(sets: QuestionSets) -> None:
    sets.replace("full", saved(*map(str, range(MOST_QUESTIONS))), None)
    with pytest.raises(TooLarge, match="1,001 questions"):
        sets.add("full", saved("one more"), None)
    assert len(sets.get("full").questions) == MOST_QUESTIONS
    with pytest.raises(TooLarge, match="200,001 characters"):
        sets.replace("long", saved("x" * (MOST_CHARACTERS + 1)), None)
    for number in range(MOST_SETS - 1):
        sets.replace(f"set {number}", saved("one"), None)
    with pytest.raises(TooLarge, match="delete one first"):
        sets.replace("one too many", saved("one"), None)
    sets.replace("full", saved("it is there already"), None)


@pytest.mark.parametrize("name", ["", " a", "a ", "-", "a/b", "x" * 65, "a\n", "<b>"])
def test_a_name_that_is_no_name_is_refused(sets: QuestionSets, name: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be the name of a list"):
        sets.add(name, saved("one"), None)
    assert sets.all() == {}


@pytest.mark.parametrize("name", ["a", "September set", "Zürich 2.0", "日本", "x" * 64])
def test_names_are_of_any_language(sets: QuestionSets, name: str) -> None:
    sets.add(name, saved("one"), None)
    assert list(sets.all()) == [name]
