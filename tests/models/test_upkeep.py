"""The upkeep of a service goes on after a disk that failed for a moment, and after a database that was away."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn, cast
from uuid import uuid4

import pytest

from service import lifecycle
from service.cluster.overview import PostgresOverview
from service.errors import StorageAway, StorageFailed
from service.generations.joining import Joining
from service.generations.webhook import Webhook
from service.learning.derivation import Derivation
from service.learning.deriving import Deriving
from service.lifecycle import Lifecycle
from service.machine.children import InThisProcess
from service.machine.writer import WritingThread
from service.reload.job import Job
from service.reload.orders import SharedOrders
from service.settings.groups import ReplicaSettings
from service.writing.following import Following
from service.writing.replication import Replication

# What each task of the background asks the database first.
QUESTIONS = (
    "seal",
    "balance",
    "resume",
    "number",
    "wait",
    "current",
    "report",
    "shown_by_all",
    "read",
    "save_progress",
    "note",
)


class Builder:
    """Fails to seal the first time."""

    seals = 0

    async def seal(self, _keywords: object) -> None:
        self.seals += 1
        if self.seals == 1:
            raise StorageFailed("the corpus cannot be used: check the disk, then try again")


def test_upkeep_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(lifecycle, "_SEAL_EVERY", 0.01)
    builder, released = Builder(), list[int]()

    async def release(number: int) -> None:
        released.append(number)

    generations = SimpleNamespace(release=release)
    serving = SimpleNamespace(builder=builder, generations=generations)
    parts = SimpleNamespace(keywords=None, serving=serving, changes=SimpleNamespace(outlived=lambda: [7]))

    async def run() -> None:
        upkeep = asyncio.create_task(Lifecycle(cast(Any, parts))._keep_house())
        for _ in range(500):
            if released:
                break
            await asyncio.sleep(0.01)
        upkeep.cancel()

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    assert released[0] == 7
    assert builder.seals >= 2
    assert "upkeep is tried again" in caplog.text
    assert "check the disk" in caplog.text


class Away:
    """Everything that lies in a database that cannot be reached. It counts what it was asked."""

    def __init__(self) -> None:
        self.asked = Counter[str]()

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        def ask(*_: object) -> NoReturn:
            self.asked[name] += 1
            raise StorageAway("it does not answer")

        return ask


def replica(away: Any, thread: WritingThread, data_dir: Path) -> Any:
    """The parts of a replica with a webhook, whose database is away in the middle of a reload."""
    nothing = cast(Any, None)
    following = Following(away, nothing, nothing, nothing, nothing, thread, lambda: None)
    joining, loaded = Joining(away, {}, thread), cast(Any, SimpleNamespace(active=None))
    reloads = SimpleNamespace(current=Job(model="two"), resume=away.resume, balance=away.balance)
    return SimpleNamespace(
        keywords=None,
        settings=SimpleNamespace(data_dir=data_dir),
        serving=SimpleNamespace(builder=away),
        models=SimpleNamespace(scheduler=SimpleNamespace(lanes={})),
        learning=SimpleNamespace(deriving=Deriving(Derivation(away, 1), away, InThisProcess(), away, thread)),
        replication=Replication(uuid4(), "r", following, joining, away, loaded, ReplicaSettings()),
        reloads=reloads,
        stores=SimpleNamespace(shared=SimpleNamespace(overview=PostgresOverview(away))),
        shared_orders=SharedOrders(cast(Any, reloads), away, away),
        webhook=Webhook("http://127.0.0.1:9", None, changes=away, records=away, thread=thread),
    )


def test_every_task_of_the_background_outlives_a_database_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away, thread, sleep = Away(), WritingThread(), asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda seconds: sleep(min(seconds, 0.01)))

    async def run() -> None:
        upkeep = asyncio.create_task(Lifecycle(replica(away, thread, tmp_path)).maintain())
        for _ in range(2000):
            if upkeep.done() or all(away.asked[question] >= 3 for question in QUESTIONS):
                break
            await asyncio.sleep(0.01)
        ended = upkeep.done()
        upkeep.cancel()
        await asyncio.wait([upkeep])
        assert not ended

    asyncio.run(run())
    thread.close()
    assert [question for question in QUESTIONS if away.asked[question] < 3] == []
