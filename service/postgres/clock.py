"""The clock of the server, which all processes share: that of one of them may be days off."""

from datetime import UTC, datetime, timedelta

from service.postgres.database import Connection


def now(connection: Connection) -> datetime:
    """Return the moment that the server's clock shows, in UTC."""
    ((shown,),) = connection.execute("SELECT clock_timestamp()").fetchall()
    moment: datetime = shown.astimezone(UTC)
    return moment


def ahead(connection: Connection) -> timedelta:
    """Return how far the server's clock is ahead of this process's; below zero if it is behind."""
    before = datetime.now(UTC)
    shown = now(connection)
    # Clocks that agree would show a moment between the question and the answer.
    return shown - min(max(shown, before), datetime.now(UTC))
