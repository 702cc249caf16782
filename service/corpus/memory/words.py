"""The words of a text as the store in memory compares them: without case and diacritics, but with their endings."""

import unicodedata
from collections.abc import Sequence

from service.corpus import words
from service.corpus.words import Phrase


def _plain(word: str) -> str:
    """Return the word without case and diacritics."""
    return "".join(
        character
        for character in unicodedata.normalize("NFKD", word.casefold())
        if not unicodedata.combining(character)
    )


def words_of(text: str) -> list[tuple[str, int, int]]:
    """Return the plain words of a text, each with its span."""
    spans: list[tuple[str, int, int]] = []
    within = False
    for position, letters in enumerate(words.letters(text)):
        for letter in letters:
            if letter == " ":
                within = False
            elif within:
                word, start, _ = spans[-1]
                spans[-1] = (word + letter, start, position + 1)
            else:
                spans.append((letter, position, position + 1))
                within = True
    return [(_plain(word), start, end) for word, start, end in spans]


def occurrences(phrase: Phrase, text: Sequence[str]) -> list[int]:
    """Return where the phrase begins in the words of a text."""
    plain_phrase = tuple(map(_plain, phrase))
    size = len(plain_phrase)
    return [start for start in range(len(text) - size + 1) if tuple(text[start : start + size]) == plain_phrase]
