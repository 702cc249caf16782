"""Heartbeats: what the processes on one schema of PostgreSQL say of themselves, and for how long they are silent.

All times are the server's, because the clocks of machines differ.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from service.cluster.base import ReplicaState
from service.postgres.database import Database

# Seconds of silence after which a replica is taken for gone.
_EXPIRES = 30.0
_REPORT = (
    "INSERT INTO replicas (id, name, address, position, epoch, prepared, problem, unable, started, seen)"
    " VALUES (%(id)s, %(name)s, %(address)s, %(position)s, %(epoch)s, %(prepared)s::bigint[], %(problem)s, %(unable)s,"
    " clock_timestamp(), clock_timestamp())"
    " ON CONFLICT (id) DO UPDATE SET name = excluded.name, address = excluded.address, position = excluded.position,"
    " epoch = excluded.epoch, prepared = excluded.prepared, problem = excluded.problem, unable = excluded.unable,"
    " seen = excluded.seen"
)
# One that reports at this moment is not waited for: it is not gone.
_DROP_EXPIRED = (
    "DELETE FROM replicas WHERE id IN (SELECT id FROM replicas"
    " WHERE seen < clock_timestamp() - make_interval(secs => %s) FOR UPDATE SKIP LOCKED)"
)
_ALIVE = (
    "SELECT id, name, address, position, epoch, prepared, problem, unable, started,"
    " extract(epoch FROM clock_timestamp() - seen)::float8"
    " FROM replicas WHERE seen >= clock_timestamp() - make_interval(secs => %s) ORDER BY name, id"
)


@dataclass(frozen=True, slots=True)
class Replica:
    """A replica that is alive: it reported first at `started`, and for the last time `silent` seconds ago."""

    state: ReplicaState
    started: datetime
    silent: float


class Heartbeats:
    """Reports of replicas. All calls wait for the server, and raise StorageFailed if it cannot be used."""

    def __init__(self, database: Database, expires: float = _EXPIRES) -> None:
        """`expires` is the seconds of silence after which a replica is not listed any more."""
        self._database = database
        self._expires = expires

    def report(self, state: ReplicaState) -> None:
        """Replace what the replica has said before, and drop the replicas that are gone."""
        with self._database.write() as connection:
            connection.execute(_REPORT, {**asdict(state), "prepared": list(state.prepared)})
            connection.execute(_DROP_EXPIRED, (self._expires,))

    def replicas(self) -> list[Replica]:
        """Return the replicas that are alive, in the order of their names."""
        with self._database.read() as connection:
            rows = connection.execute(_ALIVE, (self._expires,)).fetchall()
        return [_replica(row) for row in rows]

    def shown_by_all(self) -> int:
        """See `Reports`."""
        return min((replica.state.position for replica in self.replicas()), default=0)

    def leave(self, identity: UUID) -> None:
        """Drop a replica that ends."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM replicas WHERE id = %s", (identity,))


def _replica(row: tuple[Any, ...]) -> Replica:
    identity, name, address, position, epoch, prepared, problem, unable, started, silent = row
    state = ReplicaState(identity, name, address, position, epoch, tuple(prepared), problem, unable)
    return Replica(state, started, silent)
