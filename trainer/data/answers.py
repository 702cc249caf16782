"""Rated answers, as chat applications export them: the texts that an answer was made of, and a thumb on the whole.

A thumb rates the answer and not each of its sources. So the sources of a liked answer become weak good documents, and
the sources of a disliked answer are put aside for review.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

from trainer.data.collected import Collected
from trainer.data.dataset import Document, Judgement
from trainer.data.problems import shown
from trainer.data.review import PutAside

Thumb = Literal["like", "dislike"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A query, the answer to it, the texts that this was made of, and the thumb, if somebody rated it."""

    query: str
    response: str
    sources: Sequence[str]
    thumb: Thumb | None


class Answers:
    """Takes answers one after the other.

    Sources are matched to the documents that were collected before. If there are none, the sources become the corpus.
    An application that stores only the first `cut` characters of a source is matched by the beginnings of documents.
    """

    def __init__(self, collected: Collected, cut: int | None = None) -> None:
        self._collected = collected
        self._cut = cut
        self._corpus = Beginnings(collected.corpus, cut) if collected.corpus else None
        self.cut_documents = set[str]()

    def take(self, answer: Answer, location: str) -> None:
        documents: list[str] = []
        for source in answer.sources:
            if self._corpus is None:
                documents.append(self._collected.document(source))
                if self._cut is not None and len(source) >= self._cut:
                    self.cut_documents.add(documents[-1])
            elif answer.thumb:
                documents += self._matched(source, self._corpus, location)
        if answer.thumb:
            self._judge(answer, answer.thumb, documents, location)

    def _matched(self, source: str, corpus: "Beginnings", location: str) -> list[str]:
        """The id of the one document that matches the source. Otherwise nothing, and a note says why."""
        candidates = corpus.matching(source)
        texts = {whole for whole, _ in candidates}
        if len(texts) == 1:
            return [candidates[0][1]]
        reason = "is not in the corpus" if not texts else f"may be any of {len(texts)} documents of the corpus"
        self._collected.note(location, f"the source {shown(source)} {reason}, and is left out")
        return []

    def _judge(self, answer: Answer, thumb: Thumb, documents: list[str], location: str) -> None:
        collected = self._collected
        if not documents:
            collected.note(location, f"the answer was {thumb}d, but no document of it is known")
        elif thumb == "dislike":
            texts = tuple(collected.corpus[document].passage for document in dict.fromkeys(documents))
            collected.review.append(PutAside(answer.query, answer.response, texts))
        else:
            query = collected.query(answer.query)
            for document in dict.fromkeys(documents):
                judgement = Judgement(query, document, good=True, weak=True)
                # A question may be asked and liked any number of times.
                if not collected.knows(judgement):
                    collected.judge(judgement)


class Beginnings:
    """The documents of a corpus by their beginnings. Spacing does not count."""

    def __init__(self, corpus: Mapping[str, Document], cut: int | None) -> None:
        self._sorted = sorted((_spaced(document.text), identity) for identity, document in corpus.items())
        self._cut = cut

    def matching(self, source: str) -> list[tuple[str, str]]:
        """(text, id) of each document that a stored source may be: its text is equal, or longer if the source was
        cut."""
        beginning = _spaced(source)
        first = bisect_left(self._sorted, (beginning, ""))
        following = (self._sorted[index] for index in range(first, len(self._sorted)))
        if self._cut is None or len(source) < self._cut:
            return list(takewhile(lambda entry: entry[0] == beginning, following))
        return list(takewhile(lambda entry: entry[0].startswith(beginning), following))


def _spaced(source: str) -> str:
    return " ".join(source.split())
