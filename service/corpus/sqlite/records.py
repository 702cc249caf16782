"""The durable records of generations and jobs in SQLite, beside the documents."""

import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from service.corpus.balance import Balance
from service.corpus.base import GenerationRecord
from service.corpus.sqlite.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS generations (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    state TEXT NOT NULL,
    activation INTEGER NOT NULL,
    record TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS one_active ON generations (state) WHERE state = 'active';
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
# The record of a job names queries.
JOBS = "CREATE TABLE IF NOT EXISTS jobs (id TEXT PRIMARY KEY, state TEXT NOT NULL, record TEXT NOT NULL)"


class SqliteRecords:
    """The `Records` of the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        with database.write() as connection:
            connection.executescript(SCHEMA + JOBS)

    def activate(
        self, record: GenerationRecord, retain: int, prepare: Callable[[], None] = lambda: None
    ) -> GenerationRecord:
        with self._database.write() as connection:
            prepare()
            (last,) = connection.execute("SELECT coalesce(max(activation), 0) FROM generations").fetchone()
            connection.execute("UPDATE generations SET state = 'retained' WHERE state = 'active'")
            record = record.model_copy(
                update={"state": "active", "activation": last + 1, "activated": datetime.now(UTC)}
            )
            if record.number == 0:
                row = connection.execute(
                    "INSERT INTO generations (state, activation, record) VALUES ('retained', 0, '') RETURNING number"
                ).fetchone()
                record = record.model_copy(update={"number": row[0]})
            connection.execute(
                "UPDATE generations SET state = 'active', activation = ?, record = ? WHERE number = ?",
                (record.activation, record.model_dump_json(), record.number),
            )
            connection.execute(
                "UPDATE generations SET state = 'released' WHERE state = 'retained' AND number NOT IN"
                " (SELECT number FROM generations WHERE state = 'retained' ORDER BY activation DESC LIMIT ?)",
                (retain,),
            )
        return record

    def now(self) -> datetime:
        return datetime.now(UTC)

    def next_number(self) -> int:
        with self._database.read() as connection:
            row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'generations'").fetchone()
        return 1 + (int(row[0]) if row else 0)

    def save_weights(self, number: int, weights: Mapping[str, Balance]) -> None:
        with self._database.write() as connection:
            row = connection.execute("SELECT record FROM generations WHERE number = ?", (number,)).fetchone()
            if row is not None:
                record = GenerationRecord.model_validate_json(row[0]).model_copy(update={"weights": dict(weights)})
                connection.execute(
                    "UPDATE generations SET record = ? WHERE number = ?", (record.model_dump_json(), number)
                )

    def release(self, number: int) -> None:
        with self._database.write() as connection:
            connection.execute(
                "UPDATE generations SET state = 'released' WHERE number = ? AND state = 'retained'", (number,)
            )

    def wait_for_changes(self) -> None:
        """See `Records`; a change that was lost is undone."""

    def generations(self) -> list[GenerationRecord]:
        with self._database.read() as connection:
            return listed(connection)

    def save_note(self, name: str, value: str | None) -> None:
        with self._database.write() as connection:
            connection.execute("DELETE FROM notes WHERE name = ?", (name,))
            if value is not None:
                connection.execute("INSERT INTO notes VALUES (?, ?)", (name, value))

    def announce(self, name: str, value: str) -> None:
        self.save_note(name, value)

    def notes(self, beginning: str) -> dict[str, str]:
        with self._database.read() as connection:
            # The value of a row that does not count is not read, however long it is.
            rows = connection.execute(
                "SELECT name, value FROM notes WHERE substr(name, 1, ?) = ?", (len(beginning), beginning)
            ).fetchall()
        return {name.removeprefix(beginning): value for name, value in rows}

    def note(self, name: str) -> str | None:
        with self._database.read() as connection:
            row = connection.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def save_job(self, identity: str, state: str, record: str) -> None:
        with self._database.write(overwrite=True) as connection:
            connection.execute("INSERT OR REPLACE INTO jobs VALUES (?, ?, ?)", (identity, state, record))

    def job(self, identity: str) -> str | None:
        with self._database.read() as connection:
            row = connection.execute("SELECT record FROM jobs WHERE id = ?", (identity,)).fetchone()
        return row[0] if row else None

    def latest_jobs(self, limit: int) -> list[str]:
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT record FROM jobs ORDER BY json_extract(record, '$.created') DESC LIMIT ?", (limit,)
            )
            return [row[0] for row in rows]

    def unfinished_jobs(self) -> list[str]:
        with self._database.read() as connection:
            return [
                row[0] for row in connection.execute("SELECT record FROM jobs WHERE state IN ('queued', 'running')")
            ]


def rewrite_jobs(connection: sqlite3.Connection) -> None:
    """Write the table of jobs again in other pages, as that of judgements."""
    rows = connection.execute("SELECT * FROM jobs").fetchall()
    connection.execute("DROP TABLE jobs")
    connection.execute(JOBS)
    connection.executemany("INSERT INTO jobs VALUES (?, ?, ?)", rows)


def listed(connection: sqlite3.Connection) -> list[GenerationRecord]:
    """Return all generations of a database, the latest activation first."""
    rows = connection.execute("SELECT number, state, activation, record FROM generations ORDER BY activation DESC")
    return [
        GenerationRecord.model_validate_json(record).model_copy(
            update={"number": number, "state": state, "activation": activation}
        )
        for number, state, activation, record in rows
    ]
