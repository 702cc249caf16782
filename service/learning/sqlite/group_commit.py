"""Writes of several threads in one transaction, because what takes long is to sync the disk."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.learning.base import Event

Commit = Callable[[Sequence[Sequence[Event]]], list[int]]


@dataclass(eq=False)
class _Request:
    events: Sequence[Event]
    repeated: int | None = None
    error: Exception | None = None


class GroupCommit:
    """Commits what has gathered while the commit before was under way.

    `commit` stores the events of several requests, all or none, and returns a number for each.
    """

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._gathering = threading.Lock()
        self._committing = threading.Lock()
        self._waiting: list[_Request] = []

    def write(self, events: Sequence[Event]) -> int:
        """Return the number for these events, when they are committed. Raises what `commit` raises."""
        request = _Request(events)
        with self._gathering:
            self._waiting.append(request)
        with self._committing:
            # Whoever had the lock before may have committed this request, too.
            if request.repeated is None and request.error is None:
                self._commit_waiting()
        if request.error is not None:
            raise request.error
        return request.repeated or 0

    def _commit_waiting(self) -> None:
        with self._gathering:
            requests, self._waiting = self._waiting, []
        try:
            counts = self._commit([request.events for request in requests])
        except Exception as error:
            for request in requests:
                request.error = error
            return
        for request, repeated in zip(requests, counts, strict=True):
            request.repeated = repeated
