"""The turn to write, the numbers that it gives, and the log of changes, which every process can follow."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from service.corpus.base import Change
from service.postgres.database import Connection, Database
from service.postgres.errors import LockTimeout
from service.postgres.listening import Listener

_TAKE = "SELECT last_seq, last_generation, position FROM counters FOR UPDATE"
# Without a wait, it gives no row while another process has the turn.
_TAKE_IF_FREE = f"{_TAKE} SKIP LOCKED"
_LOCK_TIMEOUT = "SELECT current_setting('lock_timeout'), set_config('lock_timeout', %s, true)"
# Seconds of a wait for the turn, after which this process hears of what the others have written, and of all waits: a
# process that stops in its turn loses it before.
_WAIT, _PATIENCE = 0.25, 30.0
_APPEND = """WITH
counted AS (UPDATE counters SET last_seq = %(last_seq)s, position = %(position)s),
logged AS (
    INSERT INTO changes
    VALUES (%(position)s, %(collection)s, %(before)s, %(added)s::bigint[], %(died)s::bigint[])
    RETURNING mark
)
SELECT mark::text, pg_notify(%(channel)s, %(position)s::text) FROM logged"""
_COUNT = (
    "INSERT INTO collections VALUES (%s, %s, clock_timestamp()) ON CONFLICT (name)"
    " DO UPDATE SET documents = collections.documents + excluded.documents, written = excluded.written"
)
_DROP_EMPTY = "DELETE FROM collections WHERE name = %s AND documents = 0"
_AFTER = (
    "SELECT collection, before, added, died, position, mark::text FROM changes WHERE position > %s"
    " ORDER BY position LIMIT %s"
)
# So many at a time, in transactions that are short.
_TRIMMED = 10_000
_TRIM = (
    "DELETE FROM changes WHERE position IN (SELECT position FROM changes WHERE position <= %s"
    " AND position < (SELECT position FROM counters) ORDER BY position LIMIT %s)"
)
# PostgreSQL takes no longer name of a channel.
_LONGEST_CHANNEL = 63


@dataclass(frozen=True, slots=True)
class Turn:
    """A transaction that alone may write, with the highest numbers that were given before it."""

    connection: Connection
    channel: str
    last_seq: int
    last_generation: int
    position: int

    def log_generations(self) -> None:
        """Log that the set of generations changes."""
        self._append("", (), (), self.position + 1)

    def log(self, collection: str, added: tuple[int, ...], died: tuple[int, ...]) -> Change:
        """Return the change, which has added the versions after `last_seq`, and log it unless it changes nothing."""
        if not added and not died:
            return Change(collection, self.last_seq, (), (), self.position)
        change = Change(collection, self.last_seq, added, tuple(sorted(died)), self.position + 1)
        mark = self._append(collection, change.added, change.died, change.position)
        name = collection.encode()
        self.connection.execute(_COUNT, (name, len(change.added) - len(change.died)))
        self.connection.execute(_DROP_EMPTY, (name,))
        return replace(change, mark=mark)

    def _append(self, collection: str, added: tuple[int, ...], died: tuple[int, ...], position: int) -> str:
        """Log a change, and return its mark."""
        ((mark, _),) = self.connection.execute(
            _APPEND,
            {
                "last_seq": self.last_seq + len(added),
                "position": position,
                "collection": collection.encode(),
                "before": self.last_seq,
                "added": list(added),
                "died": list(died),
                "channel": self.channel,
            },
        ).fetchall()
        return str(mark)


class PostgresChangeLog:
    """The `ChangeLog` of a schema. One process at a time appends to it, so positions have the order of commits."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._channel = channel(database.schema)
        self._listener = Listener(database, self._channel)
        self._hear: Callable[[], None] = lambda: None
        self._require: Callable[[], None] = lambda: None

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """Wait for the turn to write, and run one transaction. Raises StorageFailed if it does not come.

        On the writing thread of a process that answers, use one of those below, which stop nothing while they wait.
        """
        with self._database.write() as connection:
            (numbers,) = connection.execute(_TAKE).fetchall()
            yield Turn(connection, self._channel, *numbers)

    @contextmanager
    def turn_of_documents(self) -> Iterator[Turn]:
        """Wait for the turn to change documents or generations, as `hearing_turn`, if they could be shown here."""
        with self.hearing_turn() as turn:
            self._require()
            yield turn

    @contextmanager
    def hearing_turn(self) -> Iterator[Turn]:
        """Wait for the turn, as `turn`, and hear of what came before.

        It is called on the writing thread, which shows what the others write meanwhile: a process that stops in its
        turn holds up their writes, and must not hold up their searches.
        """
        give_up = time.monotonic() + _PATIENCE
        with ExitStack() as taken:
            while (turn := self._taken(taken, is_last=time.monotonic() > give_up)) is None:
                self._hear()
            self._hear()
            yield turn

    def _taken(self, taken: ExitStack, *, is_last: bool) -> Turn | None:
        """Wait for the turn for a moment; `taken` ends it. None if it has not come, unless this attempt `is_last`."""
        try:
            with ExitStack() as attempt:
                connection = attempt.enter_context(self._database.write())
                rows = connection.execute(_TAKE_IF_FREE).fetchall()
                if not rows:
                    ((patience, _),) = connection.execute(_LOCK_TIMEOUT, (f"{_WAIT * 1000:.0f}",)).fetchall()
                    rows = connection.execute(_TAKE).fetchall()
                    connection.execute(_LOCK_TIMEOUT, (patience,))
                taken.enter_context(attempt.pop_all())
                return Turn(connection, self._channel, *rows[0])
        except LockTimeout:
            if is_last:
                raise
            return None

    def on_turn(self, hear: Callable[[], None], require: Callable[[], None] = lambda: None) -> None:
        """See `ChangeLog`."""
        self._hear, self._require = hear, require

    def wait(self, seconds: float) -> None:
        """See `ChangeLog`. Raises StorageFailed if the server cannot be reached."""
        self._listener.wait(seconds)

    def close(self) -> None:
        """Listen no longer."""
        self._listener.close()

    def position(self) -> int:
        """Return the position of the last change, 0 before the first."""
        with self._database.read() as connection:
            ((position,),) = connection.execute("SELECT position FROM counters").fetchall()
        return int(position)

    def mark(self, position: int) -> str | None:
        """See `ChangeLog`."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT mark::text FROM changes WHERE position = %s", (position,)).fetchall()
        return rows[0][0] if rows else None

    def changes_after(self, position: int, limit: int) -> list[Change]:
        """Return up to `limit` changes after the position, in their order."""
        with self._database.read() as connection:
            rows = connection.execute(_AFTER, (position, limit)).fetchall()
        return [
            Change(collection.decode(), before, tuple(added), tuple(died), at, mark)
            for collection, before, added, died, at, mark in rows
        ]

    def trim(self, position: int) -> None:
        """See `ChangeLog`. Writers do not wait for it."""
        trimmed = _TRIMMED
        while trimmed == _TRIMMED:
            with self._database.write() as connection:
                trimmed = connection.execute(_TRIM, (position, _TRIMMED)).rowcount


def channel(schema: str) -> str:
    """Return the channel of NOTIFY that has the position of each change of a schema.

    Long names of schemas are cut, so two may share a channel. Whoever listens reads the log of its own schema.
    """
    return f"instar_{schema}".encode()[:_LONGEST_CHANNEL].decode(errors="ignore")
