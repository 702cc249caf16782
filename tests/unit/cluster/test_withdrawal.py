"""An activation ends as it ended, also while the store has no room for what is withdrawn after it."""

import asyncio
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from service.cluster import replicas
from service.cluster.replicas import PostgresReplicas
from service.cluster.request import wished
from service.cluster.sharing import Sharing
from service.corpus.memory.records import MemoryRecords
from service.errors import InsufficientResources, StorageFailed

FAILURES = [InsufficientResources("the disk is full"), StorageFailed("the database is away")]


class Records(MemoryRecords):
    """Records in which the next notes that are removed cannot be removed, for these reasons."""

    def __init__(self, failures: list[Exception]) -> None:
        super().__init__()
        self.failures = failures

    def save_note(self, name: str, text: str | None) -> None:
        if text is None and self.failures:
            raise self.failures.pop()
        super().save_note(name, text)


def test_a_wish_is_withdrawn_once_the_store_has_room(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(replicas, "_AGAIN", 0)
    records: Any = Records([*FAILURES])
    nobody: Any = SimpleNamespace(replicas=list)

    async def activate() -> None:
        others = PostgresReplicas(records, nobody, nobody, uuid4(), 60, lambda: None)
        async with others.prepared("two@1", 0):
            assert wished(records) is not None

    asyncio.run(activate())
    assert wished(records) is None
    assert caplog.text.count("the other replicas still prepare two@1") == len(FAILURES)


@pytest.mark.parametrize("failure", FAILURES)
def test_a_build_that_cannot_be_withdrawn_is_left_to_the_next_one(failure: Exception) -> None:
    withdrawn: list[object] = []

    def withdraw(build: object) -> None:
        withdrawn.append(build)
        raise failure

    portions: Any = SimpleNamespace(announce=lambda _build, _fence: None, withdraw=withdraw)

    async def build() -> None:
        async with Sharing(portions, uuid4(), lambda _: None).assisted("two@1", "f"):
            assert not withdrawn

    asyncio.run(build())
    assert len(withdrawn) == 1
