"""The questions that a map of a generation shows: judged ones of both sides, and others that users ask often."""

import logging

from service.corpus.base import Documents
from service.corpus.judgements import Judgements
from service.errors import InstarError
from service.generations.generation import Generation
from service.generations.maps.placing import MOST, Question
from service.learning.base import FeedbackStore, Frequency
from service.reload.judged_queries import JudgedQueries

log = logging.getLogger(__name__)

# The latest searches that are counted, the questions that are taken of them, and how many searches are often.
_RECENT, _ASKED, _OFTEN = 20_000, 100, 2


class MapQuestions:
    """Reads questions out of the judgements and the search log."""

    def __init__(self, judgements: Judgements, documents: Documents, searches: FeedbackStore) -> None:
        self._sides = [JudgedQueries(judgements, documents, side) for side in ("judge", "train")]
        self._searches = searches

    def __call__(self, generation: Generation) -> list[Question]:
        """Return up to MOST judged questions that have a good document, and others that are asked often.

        Questions of a collection stand beside each other. Those that judge models come before those that train them.
        """
        asked = {(one.collection, one.query): one.searches for one in self._most_asked()}
        queries = [query for side in self._sides for query in side.of(generation)][:MOST]
        questions = [
            Question(query.text, query.collection, query.good, asked.pop((query.collection, query.text), 0))
            for query in queries
        ]
        questions += [
            Question(text, collection, None, searches)
            for (collection, text), searches in asked.items()
            if searches >= _OFTEN and generation.index.has(collection)
        ]
        return sorted(questions, key=lambda question: question.collection)

    def _most_asked(self) -> list[Frequency]:
        try:
            _, frequencies = self._searches.most_asked(None, _RECENT, _ASKED)
        except InstarError as error:
            log.warning("a map shows judged questions alone: %s", error.message)
            return []
        return frequencies
