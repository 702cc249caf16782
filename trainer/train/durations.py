"""Durations, for people and for flags."""

import re
from decimal import Decimal
from math import ceil, log10

from trainer.errors import BadData

# From so many seconds on, half a minute more or less is of no account, and a minute.
_MINUTES_FROM = 90
_WHOLE_MINUTES_FROM = 600
_TYPED = re.compile(r"(\d+(?:\.\d+)?)([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def seconds(duration: object) -> float:
    """The seconds of a duration like 15m. Raises BadData if it is none."""
    parts = _TYPED.fullmatch(str(duration).strip())
    if parts is None or not float(parts[1]):
        raise BadData(f"{duration} is no duration: write 90s, 15m or 2h")
    return float(parts[1]) * _SECONDS[parts[2]]


def typed(seconds: float) -> str:
    """The duration of so many seconds as somebody types it, and the function `seconds` reads it."""
    for unit in ("h", "m"):
        if seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:.0f}{unit}"
    return f"{Decimal(repr(seconds)).normalize():f}s"


def spelled(seconds: float) -> str:
    """A duration as people say it."""
    return f"{seconds:.0f} s" if seconds < _MINUTES_FROM else f"{seconds / 60:,.0f} minutes"


def longer(seconds: float, limit: float) -> str:
    """A duration as people say it, which reads as one that is longer than `limit`."""
    said = round(seconds) if seconds < _MINUTES_FROM else 60 * round(seconds / 60)
    if said > limit:
        return spelled(seconds)
    return f"{ceil(seconds)} s" if seconds < _WHOLE_MINUTES_FROM else f"{ceil(seconds / 60):,} minutes"


def flag(seconds: float) -> str:
    """A duration that `--budget` may take, rounded up to two digits. It is a suggestion: `typed` quotes one."""
    number, unit = (seconds / 60, "m") if seconds > _MINUTES_FROM else (seconds, "s")
    place = 10 ** max(0, int(log10(max(1, number))) - 1)
    return f"{ceil(number / place) * place}{unit}"
