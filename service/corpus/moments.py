"""Dates of ISO 8601 as moments: which strings are dates, and a form of them that orders by time.

A date is a string of `YYYY-MM`, `YYYY-MM-DD`, or such a day with `Thh:mm`, `Thh:mm:ss` or `Thh:mm:ss.f` (any number of
digits) and a zone: `Z`, `+hh:mm`, `+hhmm`, or none, which is UTC. A space may stand for the T. A month or a day stands
for its beginning. A year alone is no date, because numbers in strings look like it.
"""

import re
from datetime import UTC, datetime

_DATE = re.compile(
    r"(\d{4})-(\d{2})(?:-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?\s?([Zz]|[+-]\d{2}:?\d{2})?)?)?",
    re.ASCII,
)
# A string that begins as every date does, though there may be no such day. PostgreSQL reads it, too.
LIKE_A_DATE = "[0-9]{4}-(0[1-9]|1[0-2])(-[0-3][0-9]([Tt ][0-2][0-9]:[0-5][0-9].*)?)?"
_LIKE_A_DATE = re.compile(LIKE_A_DATE, re.DOTALL)


def moment(text: str) -> str | None:
    """Return the moment in UTC as digits that order by time, whatever their precision; None if `text` is no date."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        at = datetime.fromisoformat(
            f"{year}-{month}-{day or '01'}T{hour or '00'}:{minute or '00'}:{second or '00'}{_zone(zone)}"
        ).astimezone(UTC)
    # There is no such day or hour, or it is not within the years 1 to 9999 in UTC.
    except (ValueError, OverflowError):
        return None
    digits = (fraction or "").rstrip("0")
    return f"{at:%Y%m%d%H%M%S}".rjust(14, "0") + (f".{digits}" if digits else "")


def is_like_a_date(text: str) -> bool:
    """Say whether `text` looks like a date, which every date does."""
    return _LIKE_A_DATE.fullmatch(text) is not None


def has_time(text: str) -> bool:
    """Say whether a date has a time of day, and so stands for one moment."""
    return len(text) > len("YYYY-MM-DD")


def _zone(zone: str | None) -> str:
    return "+00:00" if zone is None or zone in "Zz" else zone
