"""The ranking of versions by the words of a query: BM25 by SQLite's FTS5, with k1 1.2 and b 0.75."""

import math
from collections.abc import Generator, Sequence

from service.corpus import words
from service.corpus.base import KeywordRanking, Span
from service.corpus.sqlite import fulltext, highlights
from service.corpus.sqlite.database import Database
from service.corpus.sqlite.frequencies import Frequencies
from service.corpus.words import MOST_PHRASES, Phrase

# FTS5 goes through every text that has any phrase, about a million in a second. Beyond this many, the commonest phrases
# are left out, but never the rarest few.
_MOST_POSTINGS, _LEAST_PHRASES = 20_000, 2
# FTS5's k1, and the least weight that it gives a phrase.
_SATURATION, _LEAST_WEIGHT = 1.2, 1e-6
# Ranked versions fetched at a time. A search stops when enough of them are live and pass its filter.
_FETCHED = 1000


class SqliteKeywords:
    """The `Keywords` of the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._frequencies = Frequencies()

    def rank(self, query: str, collection: str | None) -> KeywordRanking:
        query_phrases = words.phrases(query, MOST_PHRASES)
        if not query_phrases:
            return KeywordRanking(self._portions((), collection), 0.0)
        spellings = [phrase for phrase in words.spellings(query, MOST_PHRASES) if phrase not in query_phrases]
        phrases = [*query_phrases, *spellings]
        with self._database.read() as connection:
            versions, counts = self._frequencies.of(connection, phrases)
        weights = [_inverse_frequency(versions, count) for count in counts[: len(query_phrases)]]
        # A spelling that no text has is no part of the query.
        weights += [_inverse_frequency(versions, count) for count in counts[len(query_phrases) :] if count]
        max_score = (_SATURATION + 1) * sum(weights)
        return KeywordRanking(self._portions(_rarest(phrases, counts), collection), max_score)

    def _portions(self, phrases: Sequence[Phrase], collection: str | None) -> Generator[list[tuple[int, float]]]:
        if not phrases:
            return
        match = f"text : ({fulltext.expression(phrases)})"
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


def _rarest(phrases: Sequence[Phrase], counts: Sequence[int]) -> list[Phrase]:
    """Return the phrases that some text has, the rarest first, without those that would take long."""
    rarest: list[Phrase] = []
    postings = 0
    for count, phrase in sorted((count, phrase) for phrase, count in zip(phrases, counts, strict=True) if count):
        postings += count
        if len(rarest) >= _LEAST_PHRASES and postings > _MOST_POSTINGS:
            break
        rarest.append(phrase)
    return rarest


def _inverse_frequency(versions: int, count: int) -> float:
    """Return the weight that FTS5 gives a phrase that `count` of the `versions` have."""
    return max(_LEAST_WEIGHT, math.log((versions - count + 0.5) / (count + 0.5)))
