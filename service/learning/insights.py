"""Insights: what was asked over some days, what was not found, and what users thought of the answers.

A query is the text that was asked, to the letter: another case or another space makes another query, as for judgements.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

# Days for which it is known how often a query was asked on each of them.
COUNTED_DAYS = 366
# Searches that are added to those of each query before its bad answers are divided by them. So a query that was asked
# once and called bad does not stand before one that fails half of its users.
DOUBT = 10


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of searches, and of the `empty` ones among them, whose answer had no result.

    `good` and `bad` are numbers of answers that users called so, as a whole or a document of them. An answer counts
    once a day for each of the two. Of several thumbs of a day on the same thing, the last to arrive counts. Where
    thumbs name no search, those of one user on a day are about one answer.
    """

    searches: int = 0
    empty: int = 0
    good: int = 0
    bad: int = 0


@dataclass(frozen=True, slots=True)
class QueryCounts:
    """The counts of one query."""

    collection: str
    query: str
    counts: Counts

    @property
    def badness(self) -> float:
        """The share of bad answers, lower the fewer searches there were."""
        return self.counts.bad / (self.counts.searches + DOUBT)


@dataclass(frozen=True, slots=True)
class Period:
    """The days (UTC) from `first` on, of one collection or of all, and the most queries of each list."""

    first: date
    limit: int
    collection: str | None = None


@dataclass(frozen=True, slots=True)
class Insights:
    """The counts of a period.

    Lists of queries begin with the one that has most, and of equal ones with the one that was asked first.

    `since` is the moment from which on everything is counted: the beginning of the period, or the first search or thumb
    if nothing is known from before; None if there is nothing at all. `dropped` counts the searches that are not kept
    any more. Of generations, None has the thumbs that name no search.
    """

    since: datetime | None
    dropped: int
    total: Counts
    most_asked: Sequence[QueryCounts]
    nothing_found: Sequence[QueryCounts]
    worst: Sequence[QueryCounts]
    by_day: Sequence[tuple[date, Counts]]
    by_generation: Sequence[tuple[int | None, Counts]]
    by_collection: Sequence[tuple[str, Counts]]
