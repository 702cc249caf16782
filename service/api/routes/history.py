"""`GET /admin/history` and `GET /admin/log`: the last hour, and the last lines of the log."""

import logging
from datetime import UTC, datetime

from service.api.openapi import history as documented
from service.api.router import Admission, Router
from service.api.schemas.history import HistoryAnswer, LeastLevel, LogAnswer, MostLines
from service.observability.history import EVERY, History
from service.observability.log_tail import LogTail


def routes(admission: Admission, history: History, tail: LogTail) -> Router:
    """The routes of what was a moment ago."""
    router = Router(admission, "admin", "admin")
    handlers = _LastHour(history, tail)
    router.add("GET /admin/history", handlers.read_history, documented.HISTORY)
    router.add("GET /admin/log", handlers.read_log, documented.LOG)
    return router


class _LastHour:
    def __init__(self, history: History, tail: LogTail) -> None:
        self._history = history
        self._tail = tail

    async def read_history(self) -> HistoryAnswer:
        """Say how the last hour went, in intervals of ten seconds. A restart forgets it.

        `GET /metrics` has more, for Prometheus, which keeps it for longer.
        """
        intervals = self._history.intervals()
        lanes = intervals[-1].waiting.keys() if intervals else ()
        return {
            "seconds": EVERY,
            "ended": [interval.ended for interval in intervals],
            "requests": [interval.requests for interval in intervals],
            "failures": [interval.failures for interval in intervals],
            "searches": [interval.searches for interval in intervals],
            "search_p50": [interval.search_p50 for interval in intervals],
            "search_p99": [interval.search_p99 for interval in intervals],
            "waiting_tokens": {lane: [interval.waiting[lane] for interval in intervals] for lane in lanes},
            "encoded_tokens": {lane: [interval.encoded[lane] for interval in intervals] for lane in lanes},
            "memory": [interval.memory for interval in intervals],
            "disk_free": [interval.disk_free for interval in intervals],
        }

    async def read_log(self, level: LeastLevel = "info", limit: MostLines = 200) -> LogAnswer:
        """Read the last lines of the log, of which the service keeps 500 in memory. The whole log is where it runs."""
        lines = self._tail.lines(logging.getLevelNamesMapping()[level.upper()], limit)
        return {
            "lines": [
                {
                    "time": datetime.fromtimestamp(line.at, UTC),
                    "level": line.level,
                    "logger": line.logger,
                    "message": line.message,
                    "fields": line.fields,
                }
                for line in lines
            ]
        }
