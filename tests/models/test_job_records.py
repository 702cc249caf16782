"""What is recorded of a job is the last that was said of it, whatever the disk does between."""

import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.corpus.base import GenerationRecord
from service.corpus.sqlite.records import SqliteRecords
from service.lifecycle import Lifecycle
from service.reload.job import Job
from service.settings import Settings
from service.settings.groups import Headroom
from service.wiring.build import build, new_metrics


def test_a_slow_disk_does_not_bring_a_cancelled_reload_back(
    tmp_path: Path, tiny_checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = SqliteRecords.save_job

    def slowly(self: SqliteRecords, identity: str, state: str, record: str) -> None:
        # Long enough for a later one to overtake it.
        time.sleep(0.3 if state == "running" else 0)
        save(self, identity, state, record)

    async def cancelled() -> list[str]:
        parts = build(
            Settings(
                data_dir=tmp_path,
                checkpoints_dir=tiny_checkpoints,
                model="one",
                engine="torch",
                headroom=Headroom(memory=0, disk=0),
            ),
            new_metrics(),
        )
        lifecycle = Lifecycle(parts)
        await lifecycle.start()
        monkeypatch.setattr(SqliteRecords, "save_job", slowly)
        job = await parts.reloads.start("two")
        # So that its first stage is being recorded.
        await asyncio.sleep(0.05)
        assert (await parts.reloads.cancel(job.id)).state == "cancelled"
        await asyncio.sleep(0.5)
        unfinished = parts.corpus.records.unfinished_jobs()
        await lifecycle.stop()
        return unfinished

    assert asyncio.run(cancelled()) == []


def test_warnings_are_told_once_and_former_records_have_none(caplog: pytest.LogCaptureFixture) -> None:
    job = Job(model="two")
    for _ in range(2):
        job.warn("its pooling was guessed")
    assert job.warnings == ["its pooling was guessed"]
    assert [record.getMessage() for record in caplog.records] == [f"reload {job.id} of two: its pooling was guessed"]
    record = GenerationRecord(model="two@0", fingerprint="0", dimensions=2, built=datetime.now(UTC))
    for former in (job, record):
        written = json.loads(former.model_dump_json(by_alias=False))
        assert type(former).model_validate_json(json.dumps(written)) == former
        del written["warnings"]
        assert type(former).model_validate_json(json.dumps(written)).warnings == []
