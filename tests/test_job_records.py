"""What is recorded of a job is the last that was said of it, whatever the disk does between."""

import asyncio
import time
from pathlib import Path

import pytest

from service.core import Core
from service.corpus.records import Records
from service.settings import Settings


def test_a_slow_disk_does_not_bring_a_cancelled_reload_back(
    tmp_path: Path, tiny_checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = Records.save_job

    def slowly(self: Records, identity: str, state: str, record: str) -> None:
        # Long enough for a later one to overtake it.
        time.sleep(0.3 if state == "running" else 0)
        save(self, identity, state, record)

    async def cancelled() -> list[str]:
        core = Core(
            Settings(
                data_dir=tmp_path,
                checkpoints_dir=tiny_checkpoints,
                model="one",
                engine="torch",
                memory_reserve=0,
                disk_reserve=0,
            )
        )
        await core.start()
        monkeypatch.setattr(Records, "save_job", slowly)
        job = await core.reloads.start("two")
        # So that its first stage is being recorded.
        await asyncio.sleep(0.05)
        assert (await core.reloads.cancel(job.id)).state == "cancelled"
        await asyncio.sleep(0.5)
        unfinished = core.records.unfinished_jobs()
        await core.stop()
        return unfinished

    assert asyncio.run(cancelled()) == []
