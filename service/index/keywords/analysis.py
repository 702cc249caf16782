"""The analysis of texts and queries: from characters to the stems that the index knows.

Documents and queries go through the same steps: `words.py` splits and folds, and Snowball's English stemmer takes
endings off (Porter 2001), for all texts. Two neighbouring characters of a script without spaces are one more stem.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

from service.index.keywords import words
from service.index.keywords.words import MOST_PHRASES, Phrase

# Changes whenever the stems of a text change, so that they are read again.
VERSION = 2


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a query: one stem, or several that stand one after the other.

    Another spelling of an identifier is `optional`: it is no part of the query if no text has it.
    """

    stems: tuple[str, ...]
    optional: bool = False


class Analysis:
    """Safe from any thread."""

    def __init__(self) -> None:
        builder = TextAnalyzerBuilder(Tokenizer.whitespace())
        self._stemmer = builder.filter(Filter.stemmer("english")).build()

    def stems(self, spaced: str) -> list[str]:
        """Return the stem of each word, which spaces separate."""
        stems: list[str] = self._stemmer.analyze(spaced)
        return stems

    def of_document(self, text: str) -> list[str]:
        """Return the stems of a text in its order, and after them its pairs of characters."""
        stems = self.stems(words.spaced(text))
        return stems if text.isascii() else [*stems, *pairs(stems)]

    def of_query(self, query: str) -> list[Clause]:
        """Return the clauses of a query, each once."""
        phrases = [self._stemmed(phrase) for phrase in words.phrases(query, MOST_PHRASES)]
        spellings = [self._stemmed(phrase) for phrase in words.spellings(query, MOST_PHRASES)]
        asked = dict.fromkeys(phrases)
        others = [stems for stems in dict.fromkeys(spellings) if stems not in asked]
        return [*(Clause(stems) for stems in asked), *(Clause(stems, optional=True) for stems in others)]

    def _stemmed(self, phrase: Phrase) -> tuple[str, ...]:
        stems = self.stems(" ".join(phrase))
        return tuple(pairs(stems) or stems)


def pairs(stems: Sequence[str]) -> list[str]:
    """Join each two neighbours of a script without spaces."""
    unspaced = [words.is_unspaced(stem[0]) for stem in stems]
    return [
        left + right for (left, right), both in zip(pairwise(stems), map(all, pairwise(unspaced)), strict=True) if both
    ]
