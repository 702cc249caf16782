"""Saved questions: lists with names, which people ask again whenever a model or a way to search has changed."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from service.corpus.base import Records
from service.corpus.judgements import DEFAULT_COLLECTION
from service.errors import InvalidRequest, NotFound, TooLarge

# The most lists, the most questions of a list, and the most characters of all questions of a list.
MOST_SETS, MOST_QUESTIONS, MOST_CHARACTERS = 100, 1000, 200_000
_NOTES = "questions:"
_NAME = re.compile(r"(?=.{1,64}$)\w([\w .-]*\w)?")


class SavedQuestion(BaseModel):
    """A question, and the collection that it is asked of."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: str = Field(min_length=1, description="the question, as it is searched")
    collection: str = Field(DEFAULT_COLLECTION, min_length=1, max_length=128, description="the collection")


class QuestionSet(BaseModel):
    """A list of questions, each of them once, in the order in which they came."""

    questions: list[SavedQuestion]
    changed: datetime
    by: str | None


class QuestionSets:
    """All lists. Changes come from the writing thread."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def all(self) -> dict[str, QuestionSet]:
        """Return all lists by their names, in the order of names."""
        return {name: QuestionSet.model_validate_json(value) for name, value in sorted(self._notes().items())}

    def get(self, name: str) -> QuestionSet:
        """Return a list. Raises NotFound, which lists the names."""
        value = self._records.note(_NOTES + name)
        if value is None:
            raise no_question_set(name, sorted(self._notes()))
        return QuestionSet.model_validate_json(value)

    def replace(self, name: str, questions: Sequence[SavedQuestion], by: str | None) -> QuestionSet:
        """Put the questions in place of those of a list, which may be new.

        Raises InvalidRequest for a name that no list can have, and TooLarge if there are too many lists, questions or
        characters.
        """
        if not _NAME.fullmatch(name):
            raise no_set_name(name)
        if self._records.note(_NOTES + name) is None and len(self._notes()) >= MOST_SETS:
            raise too_many_sets()
        latest = list(dict.fromkeys(questions))
        characters = sum(len(question.query) for question in latest)
        if len(latest) > MOST_QUESTIONS or characters > MOST_CHARACTERS:
            raise too_many_questions(len(latest), characters)
        replaced = QuestionSet(questions=latest, changed=datetime.now(UTC).replace(microsecond=0), by=by)
        self._records.save_note(_NOTES + name, replaced.model_dump_json())
        return replaced

    def add(self, name: str, questions: Sequence[SavedQuestion], by: str | None) -> QuestionSet:
        """Add questions to the end of a list, which may be new. Raises as `replace`."""
        value = self._records.note(_NOTES + name)
        former = [] if value is None else QuestionSet.model_validate_json(value).questions
        return self.replace(name, [*former, *questions], by)

    def remove(self, name: str) -> int:
        """Remove a list, and return how many questions it had. Raises NotFound, which lists the names."""
        questions = self.get(name).questions
        self._records.save_note(_NOTES + name, None)
        return len(questions)

    def _notes(self) -> dict[str, str]:
        return self._records.notes(_NOTES)


def no_set_name(name: str) -> InvalidRequest:
    """No list can have this name."""
    return InvalidRequest(
        f"{name[:80]!r} cannot be the name of a list: use 1 to 64 letters, digits and '_', and between them spaces,"
        " dots and hyphens",
        "name",
    )


def no_question_set(name: str, names: Sequence[str]) -> NotFound:
    """There is no list with that name, but those with `names`."""
    listed = f"use one of {', '.join(names)}" if names else "PUT one first"
    return NotFound(f"there are no saved questions {name[:80]!r}: {listed}", "name")


def too_many_sets() -> TooLarge:
    """There are as many lists as there can be."""
    return TooLarge(
        f"there are {MOST_SETS} lists of questions already: delete one first, or add to one of them", "name"
    )


def too_many_questions(questions: int, characters: int) -> TooLarge:
    """A list would be too long."""
    return TooLarge(
        f"the list would have {questions:,} questions with {characters:,} characters: a list has up to"
        f" {MOST_QUESTIONS:,} questions with {MOST_CHARACTERS:,} characters, so divide it into several",
        "questions",
    )
