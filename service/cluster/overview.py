"""All processes on one schema of PostgreSQL, as it tells of them: who is alive, who is ready, and how the lead is.

One statement a second reads it. So whoever wants to know waits for no server, and gets nothing that is old.
"""

import asyncio
import logging
import time
from typing import Any

from service.cluster.base import ClusterState
from service.cluster.lead import HOLDERS
from service.errors import InstarError
from service.postgres.database import Database

log = logging.getLogger(__name__)

# Seconds between looks, after which a look is too old, and of silence after which a replica is not alive.
_LOOK_EVERY, _EXPIRES, _SILENT = 1.0, 5.0, 5.0
# The server shows the time of the last statement to the role that made it, which all replicas share.
_READ = f"""
WITH alive AS (SELECT problem FROM replicas WHERE seen >= clock_timestamp() - make_interval(secs => %(silent)s)),
lead AS (
    SELECT extract(epoch FROM clock_timestamp() - state_change)::float8 AS silent
    FROM pg_stat_activity WHERE pid IN ({HOLDERS})
)
SELECT
    (SELECT position FROM counters),
    (SELECT count(*) FROM alive),
    (SELECT count(*) FROM alive WHERE problem IS NULL),
    (SELECT epoch FROM leadership),
    (SELECT greatest(silent, 0) FROM lead),
    (SELECT count(*) FROM jobs WHERE state = ANY(%(unfinished)s))
"""  # noqa: S608  (a constant of another file)


class PostgresOverview:
    """The `Overview` of a schema, while `run` runs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read_at = float("-inf")
        self._state: ClusterState | None = None

    def latest(self) -> ClusterState | None:
        """See `Overview`."""
        return self._state if time.monotonic() - self._read_at < _EXPIRES else None

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.read)
            except InstarError as error:
                # If the store cannot be reached, whoever follows says so.
                log.debug("the other replicas cannot be seen: %s", error.message)
            await asyncio.sleep(_LOOK_EVERY)

    def read(self) -> None:
        """Look once. Raises StorageFailed if the server cannot be used."""
        looked = time.monotonic()
        values: dict[str, Any] = {"silent": _SILENT, "unfinished": ["queued", "running"]}
        with self._database.read() as connection:
            ((position, alive, ready, epoch, silent, unfinished),) = connection.execute(
                _READ.encode(), values
            ).fetchall()
        self._state = ClusterState(position, alive, ready, epoch, silent, unfinished)
        self._read_at = looked
