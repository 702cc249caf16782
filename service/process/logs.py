"""The log: readable lines on a terminal, and JSON for machines.

Texts of callers are not in it, unless `INSTAR_LOG__TEXTS` is set.

A record is written with the attribute `fields` (`extra={"fields": {...}}`), and with the ids of its trace.
"""

import json
import logging
import sys
from datetime import UTC, datetime

from service.observability import tracing
from service.settings import LogFormat

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_NOISY = ("faiss", "httpx", "sentence_transformers", "transformers", "huggingface_hub", "filelock")


class Json(logging.Formatter):
    """One JSON object a line: time (RFC 3339), level, logger, message, the fields of the record, and its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        content = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
            **tracing.identity(),
        }
        if record.exc_info:
            content["traceback"] = self.formatException(record.exc_info)
        return json.dumps(content, ensure_ascii=False, default=str)


class Text(logging.Formatter):
    """A line for people, with the fields of the record behind its message."""

    def __init__(self) -> None:
        super().__init__(_TEXT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        fields = {**getattr(record, "fields", {}), **tracing.identity()}
        written = "".join(f" {name}={_quoted(value)}" for name, value in fields.items())
        return super().formatMessage(record) + written


def _quoted(value: object) -> str:
    """The value in logfmt, with quotes if it would not be read as one value."""
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or any(sign in text for sign in ' "=\n\t') else text


class _ForTrainers(logging.Filter):
    """Leaves out notices about losses, which no service computes and newcomers take for errors."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "loss_type" not in record.getMessage()


def set_up(level: str, form: LogFormat) -> bool:
    """Send the log, and the warnings of libraries, to standard error; returns whether it is text for people.

    The form `auto` is text on a terminal and JSON elsewhere.
    """
    handler = logging.StreamHandler(sys.stderr)
    readable = form == "text" or (form == "auto" and sys.stderr.isatty())
    handler.setFormatter(Text() if readable else Json())
    handler.addFilter(_ForTrainers())
    logging.basicConfig(handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    set_level(level)
    for noisy in _NOISY:
        logger = logging.getLogger(noisy)
        logger.setLevel(logging.WARNING)
        # transformers and others write to standard error themselves, in another form.
        logger.handlers.clear()
        logger.propagate = True
    return readable


def set_level(level: str) -> None:
    """Log nothing below `level`."""
    logging.getLogger().setLevel(level.upper())
    # The service's logger has the level itself: the conversion of a model silences the root logger for a moment.
    logging.getLogger("service").setLevel(level.upper())
