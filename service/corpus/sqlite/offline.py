"""Reads the file of a corpus from outside the service, which may be using it."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from service.corpus.base import GenerationRecord, Seqs
from service.corpus.sqlite import migrations
from service.corpus.sqlite.disk_errors import translated
from service.corpus.sqlite.documents import LIVE_SEQS
from service.errors import StorageFailed


@dataclass(frozen=True, slots=True)
class Summary:
    """The sequence numbers of the documents, ascending, and the record of the active generation, if there is one."""

    live: Seqs
    active: GenerationRecord | None


def damage(path: Path) -> str | None:
    """Return SQLite's message about damage to the database, or None. Raises StorageFailed if it is no database."""
    with translated(f"{path.name} in the backup"), closing(sqlite3.connect(path)) as connection:
        return _damage(connection)


def summary(path: Path) -> Summary:
    """Sum up the database without writing to it. Raises StorageFailed if it is damaged, or of a later version."""
    with translated(str(path)), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as corpus:
        harm = _damage(corpus)
        if harm is not None:
            raise StorageFailed(f"the corpus {path} is damaged ({harm}): restore a backup, and check the disk")
        migrations.taken(corpus, path)
        live = corpus.execute(LIVE_SEQS).fetchall()
        records = corpus.execute("SELECT record FROM generations WHERE state = 'active'").fetchall()
    active = GenerationRecord.model_validate_json(records[0][0]) if records else None
    return Summary(np.array([seq for (seq,) in live], dtype=np.int64), active)


def _damage(connection: sqlite3.Connection) -> str | None:
    answer: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    return None if answer == "ok" else answer
