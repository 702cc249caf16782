"""Derivations of judgements in the order in which they began: one that began before replaces nothing of a later one.

A later one has read events that the one before lacks, and none of a user who was forgotten in between.
"""

from collections.abc import Sequence
from itertools import count
from typing import Protocol

from service.corpus.judgements import Judgement, Judgements, Key


class Derivations(Protocol):
    """The derivations of all processes on a store. Methods raise StorageFailed if the store fails."""

    def number(self) -> int:
        """Return the number of a derivation that reads from now on. It is above those of all that began before."""

    def put(self, number: int, gone: Sequence[Key], fresh: Sequence[Judgement]) -> bool:
        """Remove and add judgements in one step of the writing thread, unless a later derivation has put some.

        Returns whether.
        """

    def finish(self, number: int) -> None:
        """Note that all judgements of a derivation were put."""

    def missed(self, seconds: float) -> bool:
        """Whether events of another process have waited for so many seconds, and no derivation has read them."""


class OwnDerivations:
    """The `Derivations` of a process that has its store for itself. What it missed, it knows by itself."""

    def __init__(self, judgements: Judgements) -> None:
        self._judgements = judgements
        self._numbers = count(1)
        self._latest = 0

    def number(self) -> int:
        return next(self._numbers)

    def put(self, number: int, gone: Sequence[Key], fresh: Sequence[Judgement]) -> bool:
        if number < self._latest:
            return False
        self._latest = number
        if gone:
            self._judgements.discard(gone)
        if fresh:
            self._judgements.add(fresh)
        return True

    def finish(self, number: int) -> None:
        """See `Derivations`; nobody else needs to know."""

    def missed(self, seconds: float) -> bool:  # noqa: ARG002
        """See `Derivations`; there is no other process."""
        return False
