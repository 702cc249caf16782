"""From the counts of a period, as a store reads them from its tables, to insights.

A store gives rows: the name of a list, the two values that say what is counted, then the searches, the empty ones among
them, the good and the bad answers. The lists are `most_asked`, `nothing_found` and `worst`, in their order, with the
collection and the query; `day`, `generation` and `collection`, with that and nothing; `total`; `dropped`, with the
number of searches in place of the first value; and `since`, whose first three values are moments from which on
something is known.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from service.learning.insights import Counts, Insights, Period, QueryCounts
from service.learning.rows import EPOCH, microseconds, moment

_Row = tuple[Any, ...]


def beginning(period: Period) -> int:
    """Return the moment at which a period begins."""
    return microseconds(_midnight(period.first))


def insights_of(period: Period, rows: Iterable[_Row]) -> Insights:
    """Return the insights that the rows of a period tell."""
    lists = defaultdict[str, list[_Row]](list)
    for name, *row in rows:
        lists[name].append(tuple(row))
    begins = [at for at in lists["since"][0][:3] if at is not None]
    return Insights(
        since=max(_midnight(period.first), moment(min(begins))) if begins else None,
        dropped=lists["dropped"][0][0] or 0,
        total=_counts(lists["total"][0]),
        most_asked=list(map(_query, lists["most_asked"])),
        nothing_found=list(map(_query, lists["nothing_found"])),
        worst=list(map(_query, lists["worst"])),
        by_day=[(_date(row[0]), _counts(row)) for row in sorted(lists["day"])],
        by_generation=sorted(((row[0], _counts(row)) for row in lists["generation"]), key=_nothing_last),
        by_collection=[(row[0], _counts(row)) for row in sorted(lists["collection"])],
    )


def _query(row: _Row) -> QueryCounts:
    collection, query, *_ = row
    return QueryCounts(collection, query, _counts(row))


def _counts(row: _Row) -> Counts:
    return Counts(*(number or 0 for number in row[2:]))


def _nothing_last(row: tuple[int | None, Counts]) -> tuple[bool, int]:
    return row[0] is None, row[0] or 0


def _date(day: int) -> date:
    return (EPOCH + timedelta(days=day)).date()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
