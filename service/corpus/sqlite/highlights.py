"""Where in a text the words of a query are: found by FTS5 itself, so that it is what the keyword search went by."""

import sqlite3
from collections.abc import Sequence

from service.corpus import words
from service.corpus.base import Span
from service.corpus.sqlite import keywords

_OPEN, _CLOSE = "\1", "\2"


def spans(query: str, texts: Sequence[str]) -> list[list[Span]]:
    """For each text the [start, end) of what a keyword search for `query` finds in it, in characters, ascending."""
    found: list[list[Span]] = [[] for _ in texts]
    looked_up = [
        *words.phrases(query, keywords.MOST_PHRASES),
        *words.spellings(query, keywords.MOST_PHRASES),
    ]
    if not looked_up:
        return found
    letters = [words.letters(text) for text in texts]
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute(f"CREATE VIRTUAL TABLE texts USING fts5(text, tokenize = {keywords.TOKENIZER})")
        connection.executemany(
            "INSERT INTO texts (rowid, text) VALUES (?, ?)",
            ((row, "".join(own)) for row, own in enumerate(letters)),
        )
        marked = connection.execute(
            "SELECT rowid, highlight(texts, 0, ?, ?) FROM texts WHERE texts MATCH ?",
            (_OPEN, _CLOSE, keywords.expression(looked_up)),
        )
        for row, text in marked:
            found[row] = _original(text, letters[row])
    finally:
        connection.close()
    return found


def _original(marked: str, letters: Sequence[str]) -> list[Span]:
    """The marked spans, in characters of the text that `letters` stand for, one for each."""
    origin = [place for place, letter in enumerate(letters) for _ in letter]
    pieces = marked.split(_OPEN)
    start = len(pieces[0])
    found: list[Span] = []
    for piece in pieces[1:]:
        inside, _, after = piece.partition(_CLOSE)
        first, last = origin[start], origin[start + len(inside) - 1]
        # One character can stand for several words, as ¼ does.
        if found and first < found[-1][1]:
            first = found.pop()[0]
        found.append((first, last + 1))
        start += len(inside) + len(after)
    return found
