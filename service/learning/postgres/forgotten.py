"""The users who were forgotten lately: a process that still has searches of them from before stores them no more.

Moments are by the server's clock, and how long a search has waited is by the clock of the process that took it, so that
clocks of machines may differ.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import inf

from service.learning.base import LoggedSearch
from service.learning.ids import made
from service.postgres.database import Connection

# Seconds that a search may wait to be written, and for which users are remembered after that. A process that was
# stopped for longer stores nothing of a user that it took before.
_LONGEST_WAIT, _REMEMBERED = 3600.0, 7200.0
_REMEMBER = (
    "INSERT INTO forgotten VALUES (%s, clock_timestamp()) ON CONFLICT (user_hash) DO UPDATE SET at = excluded.at"
)
_DROP = "DELETE FROM forgotten WHERE at < clock_timestamp() - make_interval(secs => %s)"
_AGO = (
    "SELECT user_hash, extract(epoch FROM clock_timestamp() - at)::float8 FROM forgotten"
    " WHERE user_hash = ANY(%s::text[])"
)


def remember(connection: Connection, user: str) -> None:
    """Note that a user is forgotten in this transaction, which alone may write."""
    connection.execute(_REMEMBER, (user,))


def drop(connection: Connection) -> None:
    """Remember those no longer who were forgotten a while ago."""
    connection.execute(_DROP, (_REMEMBERED,))


def not_forgotten(connection: Connection, searches: Sequence[LoggedSearch]) -> Sequence[LoggedSearch]:
    """Return the searches without those whose user was forgotten after they were asked.

    It comes first in a transaction: from here to the end of it nobody is forgotten.
    """
    users = {search.user for search in searches if search.user is not None}
    if not users:
        return searches
    connection.execute("LOCK TABLE asked IN ROW EXCLUSIVE MODE")
    ago: dict[str, float] = dict(connection.execute(_AGO, (list(users),)).fetchall())
    # Read after the other clock: a process that is stopped in between takes its searches for older, and none for newer.
    now = datetime.now(UTC)
    return [
        search
        for search in searches
        if search.user is None or _waited(search, now) < min(ago.get(search.user, inf), _LONGEST_WAIT)
    ]


def _waited(search: LoggedSearch, now: datetime) -> float:
    """Return the seconds since a process has made the id of the search."""
    asked = made(search.id)
    return 0.0 if asked is None else (now - asked).total_seconds()
