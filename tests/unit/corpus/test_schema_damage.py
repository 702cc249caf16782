"""A corpus whose schema is no text any more is refused in words, like any other damage."""

from pathlib import Path

import pytest

from service.corpus.sqlite import offline
from service.corpus.sqlite.store import SqliteStore
from service.errors import StorageFailed
from service.settings.data_folder import DataFolder


def test_a_schema_that_is_no_text_is_damage(tmp_path: Path) -> None:
    SqliteStore(DataFolder(tmp_path), 10).close()
    path = tmp_path / "corpus.db"
    content = path.read_bytes()
    assert b"CREATE TABLE documents" in content
    path.write_bytes(content.replace(b"CREATE TABLE documents", b"CREATE T\xc1BLE documents"))
    with pytest.raises(StorageFailed, match="is damaged"):
        offline.summary(path)
    with pytest.raises(StorageFailed, match="is damaged"):
        SqliteStore(DataFolder(tmp_path), 10)
