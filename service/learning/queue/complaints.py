"""Complaints: questions whose answers users did not like, out of thumbs."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from service.corpus.sides import query_node
from service.learning.base import Event
from service.learning.voices import Voice, voice_of


@dataclass(frozen=True, slots=True)
class Complaint:
    """A question with `users` who gave a thumb down, the last of them at `at`.

    `documents` are those that the thumbs were about. A thumb on a whole answer names none.
    """

    collection: str
    query: str
    users: int
    at: datetime
    documents: Sequence[str]


def complaints(thumbs: Iterable[Event]) -> list[Complaint]:
    """Return the complaints of the most users first, then the latest.

    Of one user the latest thumb on a document counts, or on whole answers to the question. Questions in the same words
    are one, in the spelling of the latest thumb.
    """
    latest: dict[tuple[tuple[str, bytes], Voice, str | None], Event] = {}
    for event in thumbs:
        question = (event.collection, query_node(event.query))
        for document in event.documents or (None,):
            key = (question, voice_of(event), document)
            latest[key] = max(event, latest.get(key, event), key=_age)
    down: defaultdict[tuple[str, bytes], list[tuple[Voice, str | None, Event]]] = defaultdict(list)
    for (question, voice, document), event in latest.items():
        if event.action == "bad":
            down[question].append((voice, document, event))
    made = [_complaint(thumbs) for thumbs in down.values()]
    return sorted(made, key=lambda one: (one.users, one.at, one.collection, one.query), reverse=True)


def _complaint(down: Sequence[tuple[Voice, str | None, Event]]) -> Complaint:
    last = max((event for _, _, event in down), key=_age)
    return Complaint(
        last.collection,
        last.query,
        users=len({voice for voice, _, _ in down}),
        at=last.at,
        documents=sorted({document for _, document, _ in down if document is not None}),
    )


def _age(event: Event) -> tuple[datetime, str]:
    return event.at, event.id
