"""Embedding all documents that lack a vector, by workers elsewhere that may be lost: in rounds, until none is missing.

A round that has stored nothing is the last one. So the work ends where no further round would help, and goes on where a
worker, a machine or the store has failed for a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    # They import numpy, which must not be loaded before the environment is prepared.
    from service.cluster.portion import Portion
    from service.generations.unembedded import Unembedded

# Seconds between two lines of progress.
_EVERY = 5.0


class WorkersFailed(Exception):
    """The workers cannot go on with what they have been handed. The message says why."""


@dataclass(frozen=True, slots=True)
class Done:
    """A portion is done: how many documents have a vector now, or else what went wrong.

    Workers also say that nothing has happened for some seconds: nothing is done, and nothing went wrong.
    """

    documents: int = 0
    problem: str = ""


class Workers(Protocol):
    """Embeds portions of documents, in any order, and stores their vectors."""

    def embed(self, portions: Sequence[Portion]) -> Iterator[Done]:
        """Yield as portions are done; raises WorkersFailed."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of the work: counts of all documents, of those that were embedded, and of those without a vector still.

    `problem` is what went wrong last.
    """

    documents: int
    embedded: int
    missing: int
    problem: str


class Progress:
    """How far the work is, for people."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._total = total
        self._clock = clock
        self._done = 0
        self._first = 0
        self._began = 0.0
        self._said = clock()

    def add(self, documents: int) -> None:
        """Count documents that have a vector now."""
        # Before the first ones the models are loaded, which is not the time that a document takes.
        if not self._done and documents:
            self._began, self._first = self._clock(), documents
        self._done += documents

    def is_due(self) -> bool:
        """Say whether it is time for a line."""
        if self._clock() < self._said + _EVERY:
            return False
        self._said = self._clock()
        return True

    def line(self) -> str:
        """Say how many documents are done, how many a second, and how long the others take."""
        text = f"{self._done:,} of {self._total:,} documents"
        seconds = self._clock() - self._began
        if self._done == self._first or seconds <= 0:
            return text
        rate = (self._done - self._first) / seconds
        return f"{text}, {rate:,.0f} a second, {duration((self._total - self._done) / rate)} left"


def embed_all(unembedded: Unembedded, workers: Workers, say: Callable[[str], None]) -> Outcome:
    """Embed until no document lacks a vector, or a round has stored nothing; `say` hears of the progress."""
    portions, documents = unembedded.portions()
    total = missing = _count(portions)
    progress, problem = Progress(total), ""
    while portions:
        problem = _round(workers, portions, progress, say)
        portions, documents = unembedded.portions()
        before, missing = missing, _count(portions)
        if missing >= before:
            break
        if portions:
            say(f"{missing:,} documents are missing still ({problem or 'their vectors were lost'}): they are next")
    return Outcome(documents, total - missing, missing, problem)


def _round(workers: Workers, portions: Sequence[Portion], progress: Progress, say: Callable[[str], None]) -> str:
    """Have the portions embedded; returns what went wrong last, if anything has."""
    problem = ""
    try:
        for done in workers.embed(portions):
            problem = done.problem or problem
            progress.add(done.documents)
            if progress.is_due():
                say(progress.line())
    except WorkersFailed as failure:
        problem = str(failure)
    return problem


def _count(portions: Iterable[Portion]) -> int:
    return sum(len(portion.seqs) for portion in portions)


def duration(seconds: float) -> str:
    """Write seconds in the largest unit of which there is more than one."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds > 1.5 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:,.0f} s"
