"""Durations, for people and for flags."""

from math import ceil, log10

# From so many seconds on, half a minute more or less is of no account.
_MINUTES_FROM = 90


def spelled(seconds: float) -> str:
    """A duration as people say it."""
    return f"{seconds:.0f} s" if seconds < _MINUTES_FROM else f"{seconds / 60:,.0f} minutes"


def flag(seconds: float) -> str:
    """A duration as `--budget` takes it, rounded up to two digits."""
    number, unit = (seconds / 60, "m") if seconds > _MINUTES_FROM else (seconds, "s")
    place = 10 ** max(0, int(log10(max(1, number))) - 1)
    return f"{ceil(number / place) * place}{unit}"
