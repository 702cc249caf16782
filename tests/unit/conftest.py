"""Unit tests compute without torch, open no socket and start no process: their folder mirrors `service` and `trainer`.

A test of code that loads torch is one of `tests/models`, even if it loads no model.
"""

import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def heavy() -> set[str]:
    """The libraries that are loaded and that no unit test may load."""
    return {"torch", "sentence_transformers", "transformers", "openvino"} & sys.modules.keys()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    before = heavy()
    report = yield
    if loaded := heavy() - before:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} loads {', '.join(sorted(loaded))}"
    return report


@pytest.fixture(autouse=True)
def light() -> Iterator[None]:
    """Nothing heavy is loaded by a test, not even late; in a run of other tests, too, it may be there before."""
    before = heavy()
    yield
    assert heavy() == before


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.disable_socket)
