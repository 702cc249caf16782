"""The moments of what is written, by the server's clock.

A search that a process has stamped with a clock that is days behind would be dropped at once, and a thumb that it has
stamped would come before the ones that it takes back.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from service.learning.base import Event, LoggedSearch
from service.learning.ids import made
from service.postgres import clock
from service.postgres.database import Connection

_Stamped = TypeVar("_Stamped", LoggedSearch, Event)
# Clocks that differ by less are taken for one. So a moment that a client has named by a right clock is never changed.
_SAME = timedelta(seconds=5)


def by_the_server(connection: Connection, stamped: Sequence[_Stamped]) -> Sequence[_Stamped]:
    """Return what was stamped by this process's clock, or by one that agrees with it, with the server's moments."""
    ahead = clock.ahead(connection)
    if abs(ahead) < _SAME:
        return stamped
    return [replace(one, at=one.at + ahead) if abs(one.at - _taken(one)) < _SAME else one for one in stamped]


def _taken(one: LoggedSearch | Event) -> datetime:
    """Return when this process took it: a search may have waited for the server, and has its id from this process."""
    asked = made(one.id) if isinstance(one, LoggedSearch) else None
    return asked or datetime.now(UTC)
