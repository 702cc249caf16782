"""The tail of the log is bounded, and has the lines as the log has them."""

import logging
from collections.abc import Iterator

import pytest

from service.observability.log_tail import KEPT, LogTail


@pytest.fixture
def logger() -> Iterator[tuple[logging.Logger, LogTail]]:
    tail, logger = LogTail(), logging.getLogger("service.tail")
    logger.addHandler(tail)
    logger.setLevel("DEBUG")
    yield logger, tail
    logger.removeHandler(tail)


def test_lines_are_kept_with_their_fields(logger: tuple[logging.Logger, LogTail]) -> None:
    log, tail = logger
    log.info("stored %d", 3, extra={"fields": {"key": "ann", "status": 200}})
    log.error("failed", exc_info=ValueError("a text"))
    info, error = tail.lines(logging.INFO, 10)
    assert (info.level, info.logger, info.message) == ("info", "service.tail", "stored 3")
    assert info.fields == {"key": "ann", "status": "200"}
    # Its traceback could have texts in it, and is in the log alone.
    assert (error.message, error.fields) == ("failed", {})


def test_a_level_and_a_number_choose_the_last_lines(logger: tuple[logging.Logger, LogTail]) -> None:
    log, tail = logger
    for number in range(4):
        log.debug("debug %d", number)
        log.warning("warning %d", number)
    assert [line.message for line in tail.lines(logging.WARNING, 2)] == ["warning 2", "warning 3"]
    assert len(tail.lines(logging.DEBUG, 100)) == 8


def test_what_is_kept_is_bounded(logger: tuple[logging.Logger, LogTail]) -> None:
    log, tail = logger
    for _ in range(KEPT + 10):
        log.info("x" * 10_000)
    lines = tail.lines(logging.INFO, 10_000)
    assert len(lines) == KEPT
    assert len(lines[0].message) == 2000


def test_a_record_that_cannot_be_written_breaks_nothing(
    logger: tuple[logging.Logger, LogTail], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    log, tail = logger
    log.info("%d", "no number")
    log.info("after")
    assert [line.message for line in tail.lines(logging.INFO, 10)][-1] == "after"
