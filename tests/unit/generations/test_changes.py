"""A change says until when the former model answers."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from service.corpus.base import GenerationRecord
from service.corpus.sqlite.database import Database
from service.corpus.sqlite.records import SqliteRecords
from service.generations.changes import Changes
from service.settings.data_folder import DataFolder


def test_how_long_is_counted_from_when_it_was_replaced(tmp_path: Path) -> None:
    database = Database(DataFolder(tmp_path))
    records = SqliteRecords(database)
    for number in range(3):
        record = GenerationRecord(model=f"m@{number}", fingerprint="f", dimensions=4, built=datetime.now(UTC))
        records.activate(record, retain=2)
    changes = Changes(records, retain_hours=1)
    (change,) = changes.after(None)
    assert [former.model for former in change.former] == ["m@0", "m@1"]
    replaced = [record.activated for record in reversed(records.generations())][1:]
    assert [former.until for former in change.former] == [at + timedelta(hours=1) for at in replaced if at]
    assert changes.outlived(datetime.now(UTC)) == []
    assert changes.outlived(datetime.now(UTC) + timedelta(hours=2)) == [1, 2]
    assert [change.id for change in changes.after(1)] == [2, 3]
    database.close()
