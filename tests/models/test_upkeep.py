"""The upkeep of a service goes on after a disk that failed for a moment."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any, cast

import pytest

from service import lifecycle
from service.errors import StorageFailed
from service.lifecycle import Lifecycle


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
    parts = SimpleNamespace(keywords=None, serving=serving, changes=SimpleNamespace(outlived=lambda _: [7]))

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
