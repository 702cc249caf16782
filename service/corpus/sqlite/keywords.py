"""The ranking of versions by the words of a query: BM25 by SQLite's FTS5, with k1 1.2 and b 0.75."""

import math
from collections.abc import Generator, Sequence

from service.corpus import words
from service.corpus.base import Lookup, Span
from service.corpus.sqlite import fulltext, highlights
from service.corpus.sqlite.database import Database
from service.corpus.sqlite.frequencies import Frequencies
from service.corpus.words import MOST_PHRASES, Phrase

# FTS5 goes through every text that has any phrase, about a million in a second. Beyond this many, the commonest phrases
# are left out, but never the rarest few.
_MOST_POSTINGS, _LEAST_PHRASES = 20_000, 2
# FTS5's k1, and the least weight that it gives a phrase.
_SATURATION, _LEAST_WEIGHT = 1.2, 1e-6
# Ranked versions fetched at a time, until enough of them are still alive and pass the filter.
_FETCHED = 1000


class SqliteKeywords:
    """The `Keywords` of the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._frequencies = Frequencies()

    def lookup(self, query: str) -> Lookup:
        asked = words.phrases(query, MOST_PHRASES)
        if not asked:
            return Lookup((), 0.0)
        other = [phrase for phrase in words.spellings(query, MOST_PHRASES) if phrase not in asked]
        with self._database.read() as connection:
            versions, counts = self._frequencies.of(connection, [*asked, *other])
        # A spelling that no text has is no part of the question.
        used = [phrase for phrase, count in zip(other, counts[len(asked) :], strict=True) if count]
        counts = [*counts[: len(asked)], *(count for count in counts[len(asked) :] if count)]
        asked += used
        weights = [_inverse_frequency(versions, count) for count in counts]
        there = sorted((count, phrase) for phrase, count in zip(asked, counts, strict=True) if count)
        rarest: list[Phrase] = []
        postings = 0
        for count, phrase in there:
            postings += count
            if len(rarest) >= _LEAST_PHRASES and postings > _MOST_POSTINGS:
                break
            rarest.append(phrase)
        return Lookup(tuple(rarest), (_SATURATION + 1) * sum(weights))

    def ranked(self, lookup: Lookup, collection: str | None) -> Generator[list[tuple[int, float]]]:
        if not lookup.phrases:
            return
        match = f"text : ({fulltext.expression(lookup.phrases)})"
        if collection is not None:
            match = f"collection : {fulltext.name_of(collection)} AND {match}"
        with self._database.read() as connection:
            cursor = connection.execute(
                "SELECT rowid, -bm25(keywords, 0.0, 1.0) FROM keywords WHERE keywords MATCH ? ORDER BY 2 DESC, 1",
                (match,),
            )
            while portion := cursor.fetchmany(_FETCHED):
                yield portion

    def highlights(self, query: str, texts: Sequence[str]) -> list[list[Span]]:
        return highlights.spans(query, texts)


def _inverse_frequency(versions: int, having: int) -> float:
    """The weight that FTS5 gives a phrase."""
    return max(_LEAST_WEIGHT, math.log((versions - having + 0.5) / (having + 0.5)))
