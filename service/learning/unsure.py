"""Passages of which a person was not sure: they wait for others, and no longer for this person.

There is nothing to train on or to judge by in it, so it is no judgement. A note of the corpus for each person has
hashes of questions and of the texts that were read for them. A document with another text is another passage.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256

from service.corpus.base import Records
from service.corpus.sides import query_node

_NOTE = "unsure:"
# Passages of a person that are remembered. The oldest are forgotten first, and then wait again.
MOST = 10_000


class Unsure:
    """Remembers passages by person. What changes is called on the writing thread."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def of(self, by: str | None) -> Mapping[str, Sequence[str]]:
        """Return the passages of a person: hashes of texts by the hash of their question; none of nobody."""
        passages: dict[str, list[str]] = {}
        for question, text in self._entries(by):
            passages.setdefault(question, []).append(text)
        return passages

    def add(self, by: str, collection: str, query: str, text: str) -> None:
        """Remember that the person was not sure of a text for a query."""
        entry = _entry(collection, query, text)
        others = [each for each in self._entries(by) if each != entry]
        self._save(by, [*others, entry][-MOST:])

    def remove(self, by: str, collection: str, query: str, text: str) -> bool:
        """Forget it again. Returns whether it was remembered."""
        entries = self._entries(by)
        others = [each for each in entries if each != _entry(collection, query, text)]
        if len(others) == len(entries):
            return False
        self._save(by, others)
        return True

    def forget(self, by: str) -> None:
        """Forget all passages of the person."""
        self._records.save_note(_name(by), None)

    def _entries(self, by: str | None) -> list[list[str]]:
        note = None if by is None else self._records.note(_name(by))
        return [] if note is None else list(json.loads(note))

    def _save(self, by: str, entries: Sequence[Sequence[str]]) -> None:
        self._records.save_note(_name(by), json.dumps(entries) if entries else None)


def hash_of_question(collection: str, query: str) -> str:
    """Return the hash by which a question is remembered, in whatever order and spelling its words are."""
    return _short(f"{collection}\0{query_node(query).hex()}")


def hash_of_text(text: str) -> str:
    """Return the hash by which a text is remembered."""
    return _short(text)


def _entry(collection: str, query: str, text: str) -> list[str]:
    return [hash_of_question(collection, query), hash_of_text(text)]


def _name(by: str) -> str:
    return _NOTE + _short(by)


def _short(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:24]
