"""The last lines of the log in memory, as the log itself has them: texts of callers are in neither, or in both."""

import logging
from collections import deque
from dataclasses import dataclass

# Lines that are kept, and the longest part of one in characters.
KEPT = 500
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the log: when (seconds since 1970), its level in small letters, the logger, the text, its fields."""

    at: float
    level: str
    logger: str
    message: str
    fields: dict[str, str]


class LogTail(logging.Handler):
    """A handler that keeps the last lines of the loggers that it is added to."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[Line] = deque(maxlen=KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record, without a traceback, which is in the log itself."""
        try:
            fields = {name: str(value)[:_LONGEST] for name, value in getattr(record, "fields", {}).items()}
            message = record.getMessage()[:_LONGEST]
            self._lines.append(Line(record.created, record.levelname.lower(), record.name, message, fields))
        except Exception:
            self.handleError(record)

    def lines(self, least: int, most: int) -> list[Line]:
        """Return the last lines of that level or a higher one, the oldest first. `least` is logging's number."""
        numbers = logging.getLevelNamesMapping()
        # A copy of the deque is taken in one step, which a thread that logs does not disturb.
        lines = [line for line in self._lines.copy() if numbers.get(line.level.upper(), 0) >= least]
        return lines[-most:]
