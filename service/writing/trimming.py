"""Trims the log of changes: nobody reads what every replica has shown and what is some minutes old.

A replica that was away for longer sees that something is missing, and reads the whole corpus (`missed.py`).
"""

import asyncio
import logging
import time
from collections import deque

from service.cluster.base import Reports
from service.corpus.base import ChangeLog
from service.errors import InstarError

log = logging.getLogger(__name__)

# Seconds between looks, and for which a change stays after all have shown it.
_LOOK_EVERY, _STAYS = 60.0, 600.0


class Trimming:
    """Trims a log, which every replica does: the first one finds something to do."""

    def __init__(self, changes: ChangeLog, reports: Reports) -> None:
        self._changes = changes
        self._reports = reports
        # The positions that all had shown, with the moments of that, the oldest first.
        self._shown = deque[tuple[float, int]]()

    async def run(self) -> None:
        """Trim now and then, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            try:
                await asyncio.to_thread(self.trim, time.monotonic())
            except InstarError as error:
                log.warning("the log of changes is trimmed later: %s", error.message)

    def trim(self, now: float) -> None:
        """Trim what all had shown a while before `now`, in seconds of a clock that only grows."""
        self._shown.append((now, self._reports.shown_by_all()))
        while len(self._shown) > 1 and self._shown[1][0] <= now - _STAYS:
            self._shown.popleft()
        moment, position = self._shown[0]
        if moment <= now - _STAYS:
            self._changes.trim(position)
