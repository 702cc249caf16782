"""A watch misses no change, and tries again what a service that was away did not take."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from instar.client import InstarError, NotReached, Refused
from instar.loading import watching
from instar.loading.load import Stopped
from instar.loading.origin import Listing, Mistaken, Origin
from instar.loading.watching import Watch


@pytest.fixture
def page(tmp_path: Path) -> Path:
    (tmp_path / "page.md").write_text("one")
    return tmp_path / "page.md"


def between(monkeypatch: pytest.MonkeyPatch, *steps: Callable[[], object]) -> list[float]:
    """Take a step in each pause of a watch, and interrupt it in the last; returns how long the pauses were to be."""
    left: Iterator[Callable[[], object]] = iter(steps)
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        step = next(left, None)
        if step is None:
            raise KeyboardInterrupt
        step()

    monkeypatch.setattr(watching, "sleep", pause)
    return pauses


def rename_over(page: Path, text: str) -> Callable[[], object]:
    """Save as editors do, who write another file and give it the name."""

    def save() -> None:
        (page.parent / "page.md~").write_text(text)
        (page.parent / "page.md~").replace(page)

    return save


def test_each_save_by_rename_is_loaded_and_nothing_else(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    between(
        monkeypatch,
        rename_over(page, "second"),
        int,
        rename_over(page, "the third"),
        rename_over(page, "fourth and last"),
        int,
    )
    Watch(lambda origin, _: loaded.append(origin.path.read_text())).run([Origin.of(page)])
    assert loaded == ["one", "second", "the third", "fourth and last"]


def test_a_change_during_a_load_is_loaded_next(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def load(origin: Origin, _: Listing) -> None:
        loaded.append(origin.path.read_text())
        if len(loaded) == 1:
            page.write_text("changed meanwhile")

    between(monkeypatch, int, int)
    Watch(load).run([Origin.of(page)])
    assert loaded == ["one", "changed meanwhile"]


def stopped_by(error: InstarError) -> Stopped:
    stopped = Stopped("it ended in the middle")
    stopped.__cause__ = error
    return stopped


AWAY: list[InstarError] = [
    NotReached("it did not answer", sent=False),
    Refused("it is starting", 503, {}),
    Refused("there answered 404: 404 page not found", 404, "404 page not found"),
    stopped_by(NotReached("it did not answer", sent=False)),
]


@pytest.mark.parametrize("error", AWAY)
def test_what_a_service_that_is_away_did_not_take_is_tried_again(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: InstarError
) -> None:
    tries: list[str] = []

    def load(origin: Origin, _: Listing) -> None:
        tries.append(origin.path.read_text())
        if len(tries) < 4:
            raise error

    pauses = between(monkeypatch, int, int, int, int)
    Watch(load).run([Origin.of(page)])
    assert tries == ["one"] * 4
    assert pauses[:3] == [10.0] * 3
    assert pauses[3] < 10
    assert capsys.readouterr().err == f"{error}; it is tried again every 10 s\n"


@pytest.mark.parametrize(
    "error", [Mistaken("this is not meant"), Refused("there is no such thing", 404, {"error": {"type": "not_found"}})]
)
def test_another_error_ends_a_first_load_and_is_told_of_a_later_one(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: InstarError
) -> None:
    tries: list[str] = []

    def load(origin: Origin, _: Listing) -> None:
        tries.append(origin.path.read_text())
        if "bad" in tries[-1]:
            raise error

    between(monkeypatch, lambda: page.write_text("a bad one"), int, lambda: page.write_text("good"), int)
    Watch(load).run([Origin.of(page)])
    assert tries == ["one", "a bad one", "good"]
    assert capsys.readouterr().err == f"{error}\n"
    page.write_text("bad again")
    with pytest.raises(type(error)):
        Watch(load).run([Origin.of(page)])


def test_a_file_that_is_gone_for_a_while_is_told_once_and_waited_for(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded: list[str] = []
    between(monkeypatch, page.unlink, int, lambda: page.write_text("back"), int)
    Watch(lambda origin, _: loaded.append(origin.path.read_text())).run([Origin.of(page)])
    assert loaded == ["one", "back"]
    assert capsys.readouterr().err == f"{page} is not there: name a folder or a file\n"


def test_files_are_looked_at_for_a_small_part_of_the_time(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 3))
    monkeypatch.setattr(watching, "monotonic", lambda: next(clock))
    pauses = between(monkeypatch)
    Watch(lambda *_: None).run([Origin.of(page)])
    assert pauses == [60.0]


def test_each_of_two_origins_is_loaded_for_its_own_changes(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.md"
    other.write_text("other")
    loaded: list[Any] = []
    between(monkeypatch, lambda: other.write_text("changed"))
    Watch(lambda origin, _: loaded.append(origin.name)).run([Origin.of(page), Origin.of(other)])
    assert loaded == ["page.md", "other.md", "other.md"]
