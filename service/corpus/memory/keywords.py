"""The ranking of versions in memory by the words of a query.

Scores are BM25 (k1 1.2, b 0.75) over the words of all versions. Their order keeps the contract; their values are this
store's own. Words are compared with their endings: `pin` does not find `pins`.
"""

import math
from collections.abc import Generator, Iterable, Mapping, Sequence

from service.corpus import words
from service.corpus.base import KeywordRanking, Span
from service.corpus.memory.documents import MemoryDocuments, State
from service.corpus.memory.words import occurrences, words_of
from service.corpus.words import MOST_PHRASES, Phrase

# BM25's k1 and b, and the least weight of a phrase.
_SATURATION, _LENGTH, _LEAST_WEIGHT = 1.2, 0.75, 1e-6
_PORTION = 100


class MemoryKeywords:
    """The `Keywords` of documents in memory."""

    def __init__(self, documents: MemoryDocuments) -> None:
        self._documents = documents

    def rank(self, query: str, collection: str | None) -> KeywordRanking:
        state = self._documents.state
        texts = _texts(state)
        query_phrases = words.phrases(query, MOST_PHRASES)
        # A spelling that no text has is no part of the query.
        phrases = [phrase for phrase in _phrases(query) if phrase in query_phrases or _count(phrase, texts)]
        mean_length = sum(map(len, texts.values())) / max(1, len(texts))
        scores: dict[int, float] = {}
        for phrase in phrases:
            weight = _weight(phrase, texts)
            for seq, text in texts.items():
                times = len(occurrences(phrase, text))
                if times and collection in (None, state.rows[seq].collection):
                    damping = _SATURATION * (1 - _LENGTH + _LENGTH * len(text) / mean_length)
                    scores[seq] = scores.get(seq, 0.0) + weight * times * (_SATURATION + 1) / (times + damping)
        max_score = (_SATURATION + 1) * sum(_weight(phrase, texts) for phrase in phrases)
        return KeywordRanking(_portions(scores), max_score)

    def highlights(self, query: str, texts: Sequence[str]) -> list[list[Span]]:
        return [_highlights(_phrases(query), text) for text in texts]


def _portions(scores: Mapping[int, float]) -> Generator[list[tuple[int, float]]]:
    ranking = sorted(scores.items(), key=lambda scored: (-scored[1], scored[0]))
    for start in range(0, len(ranking), _PORTION):
        yield ranking[start : start + _PORTION]


def _texts(state: State) -> dict[int, list[str]]:
    """Return the words of all versions, by sequence number."""
    return {seq: [word for word, _, _ in words_of(row.version.document.text)] for seq, row in state.rows.items()}


def _phrases(query: str) -> list[Phrase]:
    return list(dict.fromkeys([*words.phrases(query, MOST_PHRASES), *words.spellings(query, MOST_PHRASES)]))


def _count(phrase: Phrase, texts: Mapping[int, Sequence[str]]) -> int:
    """Return how many texts have the phrase."""
    return sum(bool(occurrences(phrase, text)) for text in texts.values())


def _weight(phrase: Phrase, texts: Mapping[int, Sequence[str]]) -> float:
    """Return the inverse frequency of the phrase."""
    count = _count(phrase, texts)
    return max(_LEAST_WEIGHT, math.log((len(texts) - count + 0.5) / (count + 0.5)))


def _highlights(phrases: Sequence[Phrase], text: str) -> list[Span]:
    spans = words_of(text)
    plain = [word for word, _, _ in spans]
    ranges = _merged((start, start + len(phrase)) for phrase in phrases for start in occurrences(phrase, plain))
    # One character can stand for several words, as ¼ does.
    return _merged((spans[first][1], spans[last - 1][2]) for first, last in ranges)


def _merged(ranges: Iterable[Span]) -> list[Span]:
    """Merge the ranges [start, end) that overlap."""
    merged: list[Span] = []
    for start, end in sorted(ranges):
        if merged and start < merged[-1][1]:
            first, last = merged.pop()
            merged.append((first, max(last, end)))
        else:
            merged.append((start, end))
    return merged
