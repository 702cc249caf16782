"""A generation that another process activates is prepared here, unless this process computes other vectors."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from service.errors import CheckpointRefused
from service.generations.prepared import PreparedGenerations


class Steps:
    """Everything that a preparation uses. It notes its steps, and its canaries refuse after so many looks."""

    def __init__(self, refuse_at: int | None = None) -> None:
        self.taken: list[str] = []
        self._looks, self._refuse_at = 0, refuse_at

    @contextmanager
    def hold(self, model: str) -> Iterator[None]:
        self.taken.append(f"holds {model}")
        yield
        self.taken.append(f"holds {model} no more")

    def loaded(self, _: int) -> Any:
        return SimpleNamespace(encoder="encoder")

    @asynccontextmanager
    async def keep(self, _: object) -> AsyncIterator[Any]:
        yield SimpleNamespace(encoder="encoder", index="index")

    @asynccontextmanager
    async def accompany(self, _: object) -> AsyncIterator[None]:
        self.taken.append("follows the writes")
        yield
        self.taken.append("follows no more")

    async def embed(self, *_: object) -> None:
        self.taken.append("helps")

    async def load(self, *_: object) -> None:
        self.taken.append("embeds what is missing")

    async def catch_up(self, _: object) -> None:
        self.taken.append("catches up")

    async def require_alike(self, _: object) -> None:
        self._looks += 1
        if self._looks == self._refuse_at:
            raise CheckpointRefused("it gives other vectors")
        self.taken.append("compares")


def prepared(steps: Steps) -> None:
    part = cast(Any, steps)

    async def prepare() -> None:
        async with PreparedGenerations(part, part, part, part, part).beside("m@1", 1, lambda: False):
            steps.taken.append("is prepared")

    asyncio.run(prepare())


def test_it_compares_before_it_stores_anything_and_when_all_is_there() -> None:
    steps = Steps()
    prepared(steps)
    assert steps.taken == [
        "holds m@1",
        "helps",
        "compares",
        "follows the writes",
        "embeds what is missing",
        "catches up",
        "compares",
        "is prepared",
        "follows no more",
        "holds m@1 no more",
    ]


def test_a_process_that_computes_other_vectors_stores_none() -> None:
    steps = Steps(refuse_at=1)
    with pytest.raises(CheckpointRefused):
        prepared(steps)
    assert steps.taken == ["holds m@1", "helps"]
