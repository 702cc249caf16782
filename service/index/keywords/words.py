"""The words of a text by which it is looked up, found in the same way in documents and in queries.

A word is a run of letters, marks and digits (Unicode's categories L, M, N and Co), in its compatibility form (NFKC)
without case. Latin and Greek letters are without diacritics. Scripts that put no spaces between words give one word for
each character, which queries look up in pairs, as Lucene's CJKBigramFilter does. Each emoji and other symbol (So) is a
word as well, whatever its skin tone or presentation.
"""

import re
import unicodedata
from functools import cache
from itertools import pairwise

# Thai and Lao, Myanmar, Hangul Jamo, Khmer, kana, Han, Hangul syllables, and the Han characters of later planes.
_UNSPACED = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1100, 0x11FF),
    (0x1780, 0x17FF),
    (0x3005, 0x3007),
    (0x3040, 0x30FF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xAC00, 0xD7AF),
    (0xF900, 0xFAFF),
    (0x20000, 0x323AF),
)
_FIRST_UNSPACED = chr(_UNSPACED[0][0])

# Joiners, presentation selectors and skin tones change the picture of an emoji, and not the word.
_MODIFIERS = frozenset((0x200D, *range(0xFE00, 0xFE10), *range(0x1F3FB, 0x1F400)))
# Diacritics that stand for themselves after the letter that has them.
_DIACRITICS = range(0x0300, 0x0370)
_WITHOUT_DIACRITICS = ("LATIN", "GREEK")
# The most phrases that a query looks up. A page that is sent as a query is looked up by its beginning.
MOST_PHRASES = 64
# The most words of one phrase. A text without spaces, such as JSON, is looked up by its beginning and its words.
MOST_JOINED = 32
_RUNS = re.compile(r"\d+|\D+")
_ASCII_WORDS = re.compile(r"[0-9A-Za-z]+")

# Vowels and final consonants of Hangul, which NFKC joins with the character before, as it does marks.
_JOINING_JAMO = range(0x1160, 0x1200)
# Blocks that have all characters which NFKC may join with the one before.
_MAY_JOIN = (range(0x0300, 0x10000), range(0x10000, 0x1F000), range(0xE0100, 0xE01F0))
# The most marks in a row that NFKC puts in order, which takes the square of their number (UAX 15, Stream-Safe Text).
_MOST_MARKS = 30
# It ends a row of marks, and is dropped with the diacritics.
_JOINER = "\u034f"

Phrase = tuple[str, ...]


class _Letters(dict[int, str]):
    """The replacement of each character, computed at its first use."""

    def __missing__(self, code: int) -> str:
        plain = "" if code in _MODIFIERS else unicodedata.normalize("NFKC", chr(code)).casefold()
        self[code] = replacement = "".join(map(_letter, _without_diacritics(plain)))
        return replacement


def _without_diacritics(text: str) -> str:
    if text and unicodedata.name(text[0], "").startswith(_WITHOUT_DIACRITICS):
        text = unicodedata.normalize("NFD", text)
    return "".join(character for character in text if ord(character) not in _DIACRITICS)


def _letter(character: str) -> str:
    if is_unspaced(character):
        return f" {character} "
    category = unicodedata.category(character)
    if category == "So":
        return f" {character} "
    return character if category[0] in "LMN" or category == "Co" else " "


def is_unspaced(character: str) -> bool:
    """Say whether the character belongs to a script without spaces between words."""
    return character >= _FIRST_UNSPACED and any(first <= ord(character) <= last for first, last in _UNSPACED)


_LETTERS = _Letters()


def spaced(text: str) -> str:
    """Return the words of a text with spaces between them."""
    return _composed(text).translate(_LETTERS)


def origins(text: str) -> list[tuple[str, int, int]]:
    """Return the words of a text, each with its span [start, end) in characters of the text."""
    if text.isascii():
        return [(match[0].lower(), *match.span()) for match in _ASCII_WORDS.finditer(text)]
    replacements = [_LETTERS[ord(character)] for character in text]
    # By the end of a character, that of those that NFKC joins with it.
    joined: dict[int, int] = {}
    composed: dict[str, str] = {}
    for match in _joining().finditer(text):
        start, end = match.span()
        start -= start > 0
        part = text[start:end]
        if part not in composed:
            composed[part] = spaced(part)
        replacements[start] = composed[part]
        for position in range(start + 1, end):
            replacements[position] = ""
        joined[start + 1] = end
    letters: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    within = False
    for position, replacement in enumerate(replacements):
        for letter in replacement:
            if letter == " ":
                within = False
            elif within:
                letters.append(letter)
                ends[-1] = position + 1
            else:
                letters += (" ", letter)
                starts.append(position)
                ends.append(position + 1)
                within = True
    if joined:
        ends = [joined.get(end, end) for end in ends]
    return list(zip("".join(letters).split(), starts, ends, strict=True))


@cache
def _joining() -> re.Pattern[str]:
    """Return the pattern of characters in a row that NFKC may join with the one before."""
    joining = ["".join(filter(_joins, map(chr, block))) for block in _MAY_JOIN]
    # Most characters are in none of the blocks, whose first and last ones are compared sooner than all of them.
    return re.compile(f"(?:{'|'.join(f'(?=[{each[0]}-{each[-1]}])[{each}]' for each in joining)})+")


def _joins(character: str) -> bool:
    first = unicodedata.normalize("NFKD", character)[0]
    return unicodedata.category(first)[0] == "M" or ord(first) in _JOINING_JAMO


def _composed(text: str) -> str:
    """Return the text in NFKC."""
    if len(text) > _MOST_MARKS and not unicodedata.is_normalized("NFKC", text):
        text = _marks_in_a_row().sub(rf"\g<0>{_JOINER}", text)
    return unicodedata.normalize("NFKC", text)


@cache
def _marks_in_a_row() -> re.Pattern[str]:
    """Return the pattern of as many marks as NFKC puts in order. Beyond the first plane all characters count."""
    marks = [
        character
        for character in map(chr, range(_DIACRITICS.start, 0x10000))
        if unicodedata.combining(unicodedata.normalize("NFKD", character)[0])
    ]
    return re.compile(f"[{''.join(marks)}\U00010000-\U0001ffff]{{{_MOST_MARKS}}}")


def phrases(query: str, limit: int) -> list[Phrase]:
    """Return the phrases to look up for `query`, each once, up to `limit`, in the order of the query.

    `place_pin` and `E-1043` are looked up as a whole, which no text has by chance, and in their parts.
    """
    looked_up: dict[Phrase, None] = {}
    for chunk in query.split():
        words = spaced(chunk).split()
        unspaced = [is_unspaced(word[0]) for word in words]
        if len(words) > 1 and not any(unspaced):
            looked_up[tuple(words[:MOST_JOINED])] = None
        for index, word in enumerate(words):
            follows = unspaced[index] and index > 0 and unspaced[index - 1]
            leads = unspaced[index] and index + 1 < len(words) and unspaced[index + 1]
            if leads:
                looked_up[word, words[index + 1]] = None
            elif not follows:
                looked_up[word,] = None
    return list(looked_up)[:limit]


def spellings(query: str, limit: int) -> list[Phrase]:
    """Return other spellings of identifiers with digits, up to `limit`: `E17` of `E-17`, `E-17` or `E 17` of `E17`.

    Numbers are never joined, because `2.1` is not `21`. No number is looked up by a part of it or with other zeros
    before it, because `00123` is another identifier than `123`. Words apart are never joined: a stray `chapter3` would
    outweigh both words of `chapter 3`.
    """
    variants: dict[Phrase, None] = {}
    for chunk in query.split():
        words = spaced(chunk).split()
        if not any(map(str.isdigit, chunk)) or any(is_unspaced(word[0]) for word in words):
            continue
        borders = pairwise(words)
        if len(words) > 1 and not any(left[-1].isdigit() and right[0].isdigit() for left, right in borders):
            variants["".join(words),] = None
        for word in words:
            runs = tuple(_RUNS.findall(word))
            if 1 < len(runs) <= MOST_JOINED:
                variants[runs] = None
    return list(variants)[:limit]
