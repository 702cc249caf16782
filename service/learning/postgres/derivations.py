"""Derivations of several processes, numbered in the database, whose judgements are put in its order."""

import time
from collections.abc import Callable, Sequence

from service.corpus.judgements import Judgement, Key
from service.postgres.database import Connection, Database

_NUMBER = "UPDATE derivations SET begun = begun + 1 RETURNING begun, (SELECT coalesce(max(number), 0) FROM events)"
_PUT = "UPDATE derivations SET latest = %(number)s WHERE latest <= %(number)s"
_FINISH = "UPDATE derivations SET events = greatest(events, %s)"
_MISSED = "SELECT events, (SELECT coalesce(max(number), 0) FROM events) FROM derivations"


# Removes and adds judgements in one transaction, if the last argument says so within it. Returns whether.
Change = Callable[[Sequence[Key], Sequence[Judgement], Callable[[Connection], bool]], bool]


class PostgresDerivations:
    """The `Derivations` of a schema, whose judgements `change` writes."""

    def __init__(self, database: Database, change: Change) -> None:
        self._database = database
        self._change = change
        # The derivation that this process has begun last, and the last event before it.
        self._begun = (0, 0)
        # The last event that any derivation has read, and since when there are later ones.
        self._read, self._waiting = -1, 0.0

    def number(self) -> int:
        with self._database.write() as connection:
            ((number, last),) = connection.execute(_NUMBER).fetchall()
        self._begun = (number, last)
        return int(number)

    def put(self, number: int, gone: Sequence[Key], fresh: Sequence[Judgement]) -> bool:
        """See `Derivations`. One that a later one has overtaken changes nothing, however long it was away."""

        def is_latest(connection: Connection) -> bool:
            return connection.execute(_PUT, {"number": number}).rowcount == 1

        return self._change(gone, fresh, is_latest)

    def finish(self, number: int) -> None:
        begun, last = self._begun
        # Otherwise this process has begun another one, which has read more.
        if begun == number:
            with self._database.write() as connection:
                connection.execute(_FINISH, (last,))

    def missed(self, seconds: float) -> bool:
        """See `Derivations`.

        The process that took the events derives from them much sooner, unless it has died.
        """
        with self._database.read() as connection:
            ((read, last),) = connection.execute(_MISSED).fetchall()
        if last <= read or read != self._read:
            self._read, self._waiting = read, time.monotonic()
            return False
        return time.monotonic() - self._waiting >= seconds
