"""A backup of the whole store."""

from pathlib import Path

from service.corpus.base import CorpusStore
from tests.contract.store.stores import put, record


def test_a_backup_is_a_file_and_tells_its_generations(store: CorpusStore, tmp_path: Path) -> None:
    put(store, a="text")
    store.records.activate(record("a"), retain=1)
    target = tmp_path / "copy"
    assert store.backup(target) == store.records.generations()
    assert target.stat().st_size > 0
    assert store.size() > 0
