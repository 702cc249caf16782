"""Counts the versions that have a phrase, when a query first needs that, and remembers the count.

Counting goes through all of these versions. The phrases that cost most to count are in nearly every query, so most of
the work is done once.
"""

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Sequence

from service.corpus.words import Phrase

_REMEMBERED = 10_000
# Counts are used until the number of all writes has grown by this factor.
_GROWTH = 1.1


class Frequencies:
    """Counts of phrases as of a recent moment. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._written = -1
        self._versions = 0
        self._counts: OrderedDict[Phrase, int] = OrderedDict()

    def of(self, connection: sqlite3.Connection, phrases: Sequence[Phrase]) -> tuple[int, list[int]]:
        """Return how many versions there are, and how many of them have each of the phrases."""
        (written,) = connection.execute(
            "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'documents'"
        ).fetchone()
        with self._lock:
            if not self._written <= written <= _GROWTH * self._written:
                self._written = written
                (self._versions,) = connection.execute("SELECT count(*) FROM keywords_docsize").fetchone()
                self._counts.clear()
            versions = self._versions
            counts = {phrase: self._counts[phrase] for phrase in phrases if phrase in self._counts}
        for phrase in phrases:
            if phrase not in counts:
                counts[phrase] = _count(connection, phrase)
        with self._lock:
            if versions == self._versions:
                for phrase in phrases:
                    # A phrase that no version has costs nothing to count, and must be found once it is written.
                    if counts[phrase]:
                        self._counts[phrase] = counts[phrase]
                        self._counts.move_to_end(phrase)
            while len(self._counts) > _REMEMBERED:
                self._counts.popitem(last=False)
        # A count may be newer than the number of versions, which may be none.
        return max([versions, *counts.values()]), [counts[phrase] for phrase in phrases]


def _count(connection: sqlite3.Connection, phrase: Phrase) -> int:
    match = f'text : "{" ".join(phrase)}"'
    (count,) = connection.execute("SELECT count(*) FROM keywords WHERE keywords MATCH ?", (match,)).fetchone()
    return int(count)
