"""The durable records of generations and jobs in PostgreSQL, and notes."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from service.corpus.balance import Balance
from service.corpus.base import GenerationRecord
from service.corpus.postgres.change_log import PostgresChangeLog
from service.postgres import clock
from service.postgres.database import Connection, Database

_RETAIN_FORMER = "UPDATE generations SET state = 'retained' WHERE state = 'active' AND number <> %s"
_ACTIVATE = (
    "INSERT INTO generations (number, state, activation, record) VALUES (%s, 'active', %s, %s)"
    " ON CONFLICT (number) DO UPDATE SET"
    " state = excluded.state, activation = excluded.activation, record = excluded.record"
)
_RELEASE_OTHERS = (
    "UPDATE generations SET state = 'released' WHERE state = 'retained' AND number NOT IN"
    " (SELECT number FROM generations WHERE state = 'retained' ORDER BY activation DESC LIMIT %s)"
)
_SAVE_NOTE = "INSERT INTO notes VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
_SAVE_JOB = (
    "INSERT INTO jobs VALUES (%s, %s, %s, %s) ON CONFLICT (id)"
    " DO UPDATE SET state = excluded.state, created = excluded.created, record = excluded.record"
    # What a process says late, which has lost the lead meanwhile, does not begin an ended job again.
    " WHERE jobs.state = excluded.state OR jobs.state IN ('queued', 'running')"
)


class PostgresRecords:
    """The `Records` of a schema."""

    def __init__(self, database: Database, log: PostgresChangeLog, fence: Callable[[Connection], None]) -> None:
        self._database = database
        self._log = log
        self._fence = fence

    def activate(
        self, record: GenerationRecord, retain: int, prepare: Callable[[], None] = lambda: None
    ) -> GenerationRecord:
        with self._log.turn_of_documents() as turn:
            connection = turn.connection
            self._fence(connection)
            prepare()
            ((last,),) = connection.execute("SELECT max(activation) FROM generations").fetchall()
            activated = clock.now(connection)
            number, activation = record.number or turn.last_generation + 1, (last or 0) + 1
            record = record.model_copy(
                update={"number": number, "state": "active", "activation": activation, "activated": activated}
            )
            connection.execute(_RETAIN_FORMER, (number,))
            connection.execute(_ACTIVATE, (number, activation, record.model_dump_json()))
            connection.execute("UPDATE counters SET last_generation = greatest(last_generation, %s)", (number,))
            connection.execute(_RELEASE_OTHERS, (retain,))
            turn.log_generations()
        return record

    def now(self) -> datetime:
        with self._database.read() as connection:
            return clock.now(connection)

    def next_number(self) -> int:
        ((last,),) = self._read("SELECT last_generation FROM counters")
        return int(last) + 1

    def save_weights(self, number: int, weights: Mapping[str, Balance]) -> None:
        with self._log.turn_of_documents() as turn:
            self._fence(turn.connection)
            turn.log_generations()
            rows = turn.connection.execute("SELECT record FROM generations WHERE number = %s", (number,)).fetchall()
            for (text,) in rows:
                record = GenerationRecord.model_validate_json(text).model_copy(update={"weights": dict(weights)})
                turn.connection.execute(
                    "UPDATE generations SET record = %s WHERE number = %s", (record.model_dump_json(), number)
                )

    def release(self, number: int) -> None:
        with self._log.turn_of_documents() as turn:
            turn.log_generations()
            turn.connection.execute(
                "UPDATE generations SET state = 'released' WHERE number = %s AND state = 'retained'", (number,)
            )

    def wait_for_changes(self) -> None:
        with self._log.turn():
            # Whoever had the turn before has committed, or was ended by the server.
            pass

    def generations(self) -> list[GenerationRecord]:
        rows = self._read("SELECT record, number, state, activation FROM generations ORDER BY activation DESC")
        return [
            GenerationRecord.model_validate_json(record).model_copy(
                update={"number": number, "state": state, "activation": activation}
            )
            for record, number, state, activation in rows
        ]

    def note(self, name: str) -> str | None:
        rows = self._read("SELECT value FROM notes WHERE name = %s", (name.encode(),))
        return rows[0][0].decode() if rows else None

    def save_note(self, name: str, value: str | None) -> None:
        with self._database.write() as connection:
            if value is None:
                connection.execute("DELETE FROM notes WHERE name = %s", (name.encode(),))
            else:
                connection.execute(_SAVE_NOTE, (name.encode(), value.encode()))

    def announce(self, name: str, value: str) -> None:
        with self._log.hearing_turn() as turn:
            self._fence(turn.connection)
            turn.log_generations()
            turn.connection.execute(_SAVE_NOTE, (name.encode(), value.encode()))

    def notes(self, beginning: str) -> dict[str, str]:
        begins = beginning.encode()
        rows = self._read("SELECT name, value FROM notes WHERE substr(name, 1, %s) = %s", (len(begins), begins))
        return {name.removeprefix(begins).decode(): value.decode() for name, value in rows}

    def job(self, identity: str) -> str | None:
        rows = self._read("SELECT record FROM jobs WHERE id = %s", (identity.encode(),))
        return rows[0][0] if rows else None

    def save_job(self, identity: str, state: str, record: str) -> None:
        with self._database.write() as connection:
            connection.execute(_SAVE_JOB, (identity.encode(), state, json.loads(record)["created"], record))

    def latest_jobs(self, limit: int) -> list[str]:
        return [text for (text,) in self._read("SELECT record FROM jobs ORDER BY created DESC LIMIT %s", (limit,))]

    def unfinished_jobs(self) -> list[str]:
        rows = self._read("SELECT record FROM jobs WHERE state = ANY(%s)", (["queued", "running"],))
        return [text for (text,) in rows]

    def _read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._database.read() as connection:
            return connection.execute(query.encode(), values).fetchall()
