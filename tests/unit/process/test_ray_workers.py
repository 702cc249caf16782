"""The results of Ray come as they are done, and its errors and its silence end in words."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from ray.exceptions import RayError

from service.process import ray_workers
from service.process.embedding import Done, WorkersFailed
from service.process.ray_workers import RayWorkers

Rows = Callable[[], Iterator[dict[str, Any]]]


@dataclass
class Results:
    """The dataset of the results."""

    iter_rows: Rows


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Callable[[Rows], Iterator[Done]]:
    """Workers that are connected to no cluster, whose rows a test makes up."""

    def embed(rows: Rows) -> Iterator[Done]:
        monkeypatch.setattr(RayWorkers, "_embedding", lambda *_: Results(rows))
        monkeypatch.setattr(ray_workers, "_LOOK", 0.01)
        return RayWorkers.__new__(RayWorkers).embed([])

    return embed


def test_portions_are_told_as_they_are_done(workers: Callable[[Rows], Iterator[Done]]) -> None:
    heard = threading.Event()

    def rows() -> Iterator[dict[str, Any]]:
        yield {"documents": 128, "problem": ""}
        assert heard.wait(60)
        yield {"documents": 0, "problem": "host: the store was away"}

    results = workers(rows)
    assert next(results) == Done(128)
    # Nothing is done, which is told as well.
    assert next(results) == Done()
    heard.set()
    assert [done for done in results if done != Done()] == [Done(0, "host: the store was away")]


def test_an_error_of_ray_ends_in_its_last_line(workers: Callable[[Rows], Iterator[Done]]) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        yield {"documents": 1, "problem": ""}
        raise RayError("The actor died.\nTraceback ...\nCheckpointRefused: one is another one on this machine")

    with pytest.raises(WorkersFailed, match=r"^CheckpointRefused: one is another one on this machine$"):
        list(workers(rows))


def test_a_fault_of_the_program_is_raised_as_it_is(workers: Callable[[Rows], Iterator[Done]]) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        yield {"documents": 1}

    with pytest.raises(KeyError, match="problem"):
        list(workers(rows))


def test_silence_ends(workers: Callable[[Rows], Iterator[Done]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_workers, "_PATIENCE", 0.1)
    over = threading.Event()

    def rows() -> Iterator[dict[str, Any]]:
        over.wait(60)
        yield from ()

    with pytest.raises(WorkersFailed, match="ray status"):
        list(workers(rows))
    over.set()
