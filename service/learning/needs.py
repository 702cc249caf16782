"""The need behind a question, in the words of the people who judge: `widget logo` may mean "put my logo on the chat".

A note of the corpus keeps it under a hash of the question, so that questions in the same words have one need.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from service.corpus.base import Records
from service.learning.unsure import hash_of_question

_NOTE = "need:"


@dataclass(frozen=True, slots=True)
class Need:
    """A need: its text, when it was written, and by the key of which name; None: no key was needed."""

    text: str
    at: datetime
    by: str | None


class Needs:
    """Keeps the need of each question. `save` is called on the writing thread."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def of(self, collection: str, query: str) -> Need | None:
        """Return the need of a question; None if nobody has written any."""
        note = self._records.note(_name(collection, query))
        if note is None:
            return None
        kept = json.loads(note)
        return Need(kept["text"], datetime.fromisoformat(kept["at"]), kept["by"])

    def save(self, collection: str, query: str, text: str, by: str | None) -> Need | None:
        """Replace the need of a question, and return it; an empty text removes it."""
        now = datetime.now(UTC).replace(microsecond=0)
        note = json.dumps({"text": text, "at": now.isoformat(), "by": by}) if text else None
        self._records.save_note(_name(collection, query), note)
        return Need(text, now, by) if text else None


def _name(collection: str, query: str) -> str:
    return _NOTE + hash_of_question(collection, query)
