"""The log is for machines unless somebody sits before it."""

import io
import json
import logging
import sys
import warnings
from collections.abc import Iterator

import pytest

from service.process import logs


@pytest.fixture
def restored() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers.copy(), root.level
    yield
    root.handlers[:], root.level = before[0], before[1]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("restored")
def test_a_terminal_gets_lines_and_everything_else_gets_json(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, form, is_json in (
        (Terminal(), "auto", False),
        (io.StringIO(), "auto", True),
        (Terminal(), "json", True),
        (io.StringIO(), "text", False),
    ):
        monkeypatch.setattr(sys, "stderr", stream)
        logs.set_up("info", form)  # type: ignore[arg-type]
        try:
            raise ValueError("broken in\ntwo lines")
        except ValueError:
            logging.getLogger("service.x").exception("it fails: %s", "ä", extra={"fields": {"key": "a"}})
        logging.getLogger("service.x").debug("unheard")
        text = stream.getvalue()
        if is_json:
            (line,) = text.splitlines()
            found = json.loads(line)
            assert (found["level"], found["logger"], found["message"], found["key"]) == (
                "error",
                "service.x",
                "it fails: ä",
                "a",
            )
            assert found["time"].endswith("+00:00")
            assert "ValueError: broken in\ntwo lines" in found["traceback"]
        else:
            assert " ERROR service.x: it fails: ä key=a\nTraceback" in text


@pytest.mark.usefixtures("restored")
def test_what_libraries_say_is_json_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    # Another test may have begun to, before pytest took warnings for itself.
    logging.captureWarnings(capture=False)
    logs.set_up("info", "json")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old in two\nlines", DeprecationWarning, stacklevel=1)
    logging.getLogger("transformers.modeling_utils").warning("a notice")
    logging.getLogger("transformers.configuration_utils").warning("`loss_type=None` was set in the config")
    logging.captureWarnings(capture=False)
    messages = [json.loads(line)["message"] for line in stream.getvalue().splitlines()]
    assert "old in two\nlines" in messages[0]
    assert messages[1:] == ["a notice"]


@pytest.mark.usefixtures("restored")
def test_values_in_lines_for_people_are_quoted_where_they_have_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logs.set_up("info", "text")
    fields = {"query": 'the "widget" key', "k": 3, "empty": "", "plain": "a/b"}
    logging.getLogger("service.x").info("search", extra={"fields": fields})
    assert stream.getvalue().endswith('search query="the \\"widget\\" key" k=3 empty="" plain=a/b\n')
