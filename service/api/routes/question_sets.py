"""`/admin/question-sets`: lists of questions that are asked again whenever a model has changed."""

import asyncio
from collections.abc import Sequence
from functools import partial

from service.api.auth import KeyName
from service.api.inputs import check_text, refuse_nul
from service.api.openapi import question_sets as documented
from service.api.readiness import RequireReady
from service.api.router import Admission, Router
from service.api.schemas.question_sets import (
    ListedQuestion,
    NewSetName,
    QuestionSetAnswer,
    QuestionSetInfo,
    QuestionSetsAnswer,
    QuestionsRequest,
    RemovedQuestions,
    SetName,
)
from service.learning.question_sets import QuestionSet, QuestionSets, SavedQuestion
from service.machine.writer import WritingThread
from service.settings import Settings


def routes(
    admission: Admission, require_ready: RequireReady, sets: QuestionSets, thread: WritingThread, settings: Settings
) -> Router:
    """The routes of saved questions."""
    router = Router(admission, "admin", "admin")
    handlers = _Sets(require_ready, sets, thread, settings)
    router.add("GET /admin/question-sets", handlers.list_question_sets, documented.LIST)
    router.add("GET /admin/question-sets/{name}", handlers.read_question_set, documented.READ)
    router.add("PUT /admin/question-sets/{name}", handlers.put_question_set, documented.PUT)
    router.add("POST /admin/question-sets/{name}", handlers.add_questions, documented.ADD)
    router.add("DELETE /admin/question-sets/{name}", handlers.delete_question_set, documented.DELETE)
    return router


class _Sets:
    def __init__(
        self, require_ready: RequireReady, sets: QuestionSets, thread: WritingThread, settings: Settings
    ) -> None:
        self._require_ready = require_ready
        self._sets = sets
        self._thread = thread
        self._settings = settings

    async def list_question_sets(self) -> QuestionSetsAnswer:
        """List all lists of saved questions, without the questions."""
        self._require_ready()
        sets = await asyncio.to_thread(self._sets.all)
        return {"sets": [_info(name, one) for name, one in sets.items()]}

    async def read_question_set(self, name: SetName) -> QuestionSetAnswer:
        """Read a list of saved questions."""
        self._require_ready()
        return _answer(name, await asyncio.to_thread(self._sets.get, name))

    async def put_question_set(self, name: NewSetName, request: QuestionsRequest, by: KeyName) -> QuestionSetAnswer:
        """Save a list of questions under a name, in place of a former one with that name."""
        self._require_ready()
        self._check(request.questions)
        return _answer(name, await self._thread.run(partial(self._sets.replace, name, request.questions, by)))

    async def add_questions(self, name: NewSetName, request: QuestionsRequest, by: KeyName) -> QuestionSetAnswer:
        """Add questions to a list, which this makes if it is not there. Those that it has already stay as they are."""
        self._require_ready()
        self._check(request.questions)
        return _answer(name, await self._thread.run(partial(self._sets.add, name, request.questions, by)))

    async def delete_question_set(self, name: SetName) -> RemovedQuestions:
        """Delete a list of saved questions."""
        self._require_ready()
        return {"removed": await self._thread.run(partial(self._sets.remove, name))}

    def _check(self, questions: Sequence[SavedQuestion]) -> None:
        for index, question in enumerate(questions):
            check_text(question.query, f"questions.{index}.query", self._settings)
            refuse_nul(question.query, f"questions.{index}.query")
            refuse_nul(question.collection, f"questions.{index}.collection")


def _info(name: str, one: QuestionSet) -> QuestionSetInfo:
    return {"name": name, "count": len(one.questions), "changed": one.changed, "by": one.by}


def _answer(name: str, one: QuestionSet) -> QuestionSetAnswer:
    questions: list[ListedQuestion] = [
        {"query": question.query, "collection": question.collection} for question in one.questions
    ]
    return {**_info(name, one), "questions": questions}
