"""Finds the words of a query in texts. FTS5 itself does so, so they are the words that a keyword search finds."""

import sqlite3
from collections.abc import Sequence

from service.corpus import words
from service.corpus.base import Span
from service.corpus.sqlite import fulltext
from service.corpus.words import MOST_PHRASES

_OPEN, _CLOSE = "\1", "\2"


def spans(query: str, texts: Sequence[str]) -> list[list[Span]]:
    """Return for each text the spans that a keyword search for `query` finds in it, ascending."""
    spans_of: list[list[Span]] = [[] for _ in texts]
    looked_up = [*words.phrases(query, MOST_PHRASES), *words.spellings(query, MOST_PHRASES)]
    if not looked_up:
        return spans_of
    letters = [words.letters(text) for text in texts]
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute(f"CREATE VIRTUAL TABLE texts USING fts5(text, tokenize = {fulltext.TOKENIZER})")
        connection.executemany(
            "INSERT INTO texts (rowid, text) VALUES (?, ?)",
            ((row, "".join(plain)) for row, plain in enumerate(letters)),
        )
        marked_texts = connection.execute(
            "SELECT rowid, highlight(texts, 0, ?, ?) FROM texts WHERE texts MATCH ?",
            (_OPEN, _CLOSE, fulltext.expression(looked_up)),
        )
        for row, text in marked_texts:
            spans_of[row] = _original(text, letters[row])
    finally:
        connection.close()
    return spans_of


def _original(marked_text: str, letters: Sequence[str]) -> list[Span]:
    """Return the marked spans in characters of the original text, for each of which `letters` has one entry."""
    origin = [position for position, letter in enumerate(letters) for _ in letter]
    pieces = marked_text.split(_OPEN)
    start = len(pieces[0])
    merged: list[Span] = []
    for piece in pieces[1:]:
        highlighted, _, after = piece.partition(_CLOSE)
        first, last = origin[start], origin[start + len(highlighted) - 1]
        # One character can stand for several words, as ¼ does.
        if merged and first < merged[-1][1]:
            first = merged.pop()[0]
        merged.append((first, last + 1))
        start += len(highlighted) + len(after)
    return merged
