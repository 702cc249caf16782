"""A change says until when the former model answers."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from service.corpus.base import GenerationRecord
from service.corpus.sqlite.database import Database
from service.corpus.sqlite.records import SqliteRecords
from service.generations.changes import Changes
from service.settings.data_folder import DataFolder


def test_how_long_is_counted_from_when_it_was_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(DataFolder(tmp_path))
    records = SqliteRecords(database)
    for number in range(3):
        record = GenerationRecord(model=f"m@{number}", fingerprint="f", dimensions=4, built=datetime.now(UTC))
        records.activate(record, retain=2)
    loaded = {1, 2, 3}
    generations: Any = SimpleNamespace(shared=False, loaded=lambda number: number if number in loaded else None)
    changes = Changes(records, generations, retain_hours=1)
    (change,) = changes.after(None)
    assert [former.model for former in change.former] == ["m@0", "m@1"]
    replaced = [record.activated for record in reversed(records.generations())][1:]
    assert [former.until for former in change.former] == [at + timedelta(hours=1) for at in replaced if at]
    assert changes.outlived() == []
    # A replica's own clock says nothing: the store's counts.
    monkeypatch.setattr(records, "now", lambda: datetime.now(UTC) + timedelta(hours=2))
    assert changes.outlived() == [1, 2]
    assert [change.id for change in changes.after(1)] == [2, 3]
    # One that the start has left out does not answer, and its time ends all the same.
    loaded.remove(1)
    (change,) = changes.after(None)
    assert [former.model for former in change.former] == ["m@1"]
    assert changes.outlived() == [1, 2]
    # Other replicas may have it.
    generations.shared = True
    (change,) = changes.after(None)
    assert [former.model for former in change.former] == ["m@0", "m@1"]
    database.close()
