"""The clock of the server, which all processes share: that of one of them may be days off."""

from datetime import UTC, datetime

from service.postgres.database import Connection


def now(connection: Connection) -> datetime:
    """Return the moment that the server's clock shows, in UTC."""
    ((shown,),) = connection.execute("SELECT clock_timestamp()").fetchall()
    moment: datetime = shown.astimezone(UTC)
    return moment
