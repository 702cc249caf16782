"""Passages of which people are not sure, as they are remembered."""

import pytest

from service.corpus.memory.store import MemoryStore
from service.learning import unsure
from service.learning.unsure import Unsure, hash_of_question, hash_of_text


@pytest.fixture
def remembered() -> Unsure:
    return Unsure(MemoryStore(10).records)


def test_each_person_has_passages_of_their_own_and_nobody_has_none(remembered: Unsure) -> None:
    for text in ("one", "two", "one"):
        remembered.add("ann", "default", "q", text)
    remembered.add("bob", "other", "q", "one")
    assert remembered.of("ann") == {hash_of_question("default", "q"): [hash_of_text("two"), hash_of_text("one")]}
    assert remembered.of("bob") == {hash_of_question("other", "q"): [hash_of_text("one")]}
    assert remembered.of("carol") == remembered.of(None) == {}


def test_they_are_forgotten_one_by_one_and_all_at_once(remembered: Unsure) -> None:
    remembered.add("ann", "default", "Late? A", "one")
    remembered.add("ann", "default", "q", "one")
    assert remembered.remove("ann", "default", "a late", "one")
    assert not remembered.remove("ann", "default", "a late", "one")
    assert list(remembered.of("ann")) == [hash_of_question("default", "q")]
    remembered.forget("ann")
    assert remembered.of("ann") == {}


def test_the_oldest_of_too_many_are_forgotten(remembered: Unsure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unsure, "MOST", 2)
    for query in ("first", "second", "third"):
        remembered.add("ann", "default", query, "one")
    assert list(remembered.of("ann")) == [hash_of_question("default", query) for query in ("second", "third")]
