"""The portions of a build as rows of PostgreSQL, which processes lease, each for a while, until all are done.

All times are the server's, because the clocks of machines differ.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from service.cluster.portion import Portion
from service.corpus.base import Seqs
from service.models.windowing import Windowing
from service.postgres.database import Connection, Database

# Seconds for which a portion is leased, unless its holder renews the lease.
_LEASE = 15.0
# Seconds after which a leader that says nothing is taken for gone.
_SILENT = 30.0
_PUT = "UPDATE builds SET documents = 0, portions = %s WHERE id = %s"
_COPY = "COPY portions (build, number, overlap, most, seqs) FROM STDIN"
# A row that another process is about to lease is passed over.
_TAKE = """
WITH free AS MATERIALIZED (
    SELECT portions.build, portions.number FROM portions JOIN builds ON builds.id = portions.build
    WHERE builds.fingerprint = %(fingerprint)s AND NOT is_done AND leased_until < clock_timestamp()
    ORDER BY portions.number LIMIT 1 FOR UPDATE OF portions SKIP LOCKED
)
UPDATE portions SET holder = %(holder)s, leased_until = clock_timestamp() + make_interval(secs => %(lease)s)
FROM free WHERE portions.build = free.build AND portions.number = free.number
RETURNING portions.build, portions.number, overlap, most, seqs
"""
_RENEW = (
    "UPDATE portions SET leased_until = clock_timestamp() + make_interval(secs => %s)"
    " WHERE build = %s AND number = %s AND holder = %s AND NOT is_done"
)
# A portion that two have embedded counts once.
_FINISH = """
WITH finished AS (
    UPDATE portions SET is_done = true WHERE build = %s AND number = %s AND NOT is_done
    RETURNING build, cardinality(seqs) AS documents
)
UPDATE builds SET documents = builds.documents + finished.documents, portions = portions - 1
FROM finished WHERE builds.id = finished.build
"""
_STORED = (
    "SELECT seqs FROM portions JOIN builds ON builds.id = portions.build"
    " WHERE fingerprint = %s AND is_done ORDER BY number LIMIT 1"
)
_ANNOUNCED = (
    "SELECT model FROM builds JOIN replicas ON replicas.id = builds.leader"
    " WHERE builds.leader <> %s AND replicas.seen >= clock_timestamp() - make_interval(secs => %s)"
)


@dataclass(frozen=True, slots=True)
class Build:
    """The documents that the process `leader` has embedded, because they have no vector of the checkpoint `model`."""

    id: UUID
    leader: UUID
    model: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Lease:
    """The lease of a portion, which has a number in its build."""

    build: UUID
    number: int
    holder: UUID
    portion: Portion


@dataclass(frozen=True, slots=True)
class BuildState:
    """How far a build is: documents that are embedded, and portions that are not done."""

    documents: int
    portions: int


class Portions:
    """The portions that all processes on a schema share. All calls wait for the server.

    They raise StorageFailed if it cannot be used.
    """

    def __init__(self, database: Database, lease: float = _LEASE) -> None:
        """`lease` is the seconds for which a portion is leased, unless its holder renews the lease."""
        self.lease = lease
        self._database = database

    def announce(self, build: Build, fence: Callable[[Connection], None]) -> None:
        """Tell the other processes of a build, in place of former ones. `fence` raises unless this process leads."""
        with self._database.write() as connection:
            fence(connection)
            connection.execute("DELETE FROM portions")
            connection.execute("DELETE FROM builds")
            connection.execute(
                "INSERT INTO builds (id, leader, model, fingerprint) VALUES (%s, %s, %s, %s)",
                (build.id, build.leader, build.model, build.fingerprint),
            )

    def announced(self, identity: UUID) -> str | None:
        """Return the checkpoint with which another process than `identity` embeds, unless that process is gone."""
        with self._database.read() as connection:
            row = connection.execute(_ANNOUNCED, (identity, _SILENT)).fetchone()
        return None if row is None else str(row[0])

    def put(self, build: UUID, portions: Sequence[Portion]) -> None:
        """Let all processes take these portions. Does nothing if the build was withdrawn."""
        with self._database.write() as connection:
            if not connection.execute(_PUT, (len(portions), build)).rowcount:
                return
            with connection.cursor().copy(_COPY) as rows:
                for number, portion in enumerate(portions, 1):
                    windowing = portion.windowing
                    rows.write_row((build, number, windowing.overlap, windowing.most, portion.seqs.tolist()))

    def take(self, fingerprint: str, holder: UUID) -> Lease | None:
        """Lease a portion that nobody has, to be embedded by a checkpoint with the fingerprint; None if all are leased
        or done.
        """
        with self._database.write() as connection:
            values = {"fingerprint": fingerprint, "holder": holder, "lease": self.lease}
            row = connection.execute(_TAKE, values).fetchone()
        if row is None:
            return None
        build, number, overlap, most, seqs = row
        return Lease(build, number, holder, Portion(np.array(seqs, np.int64), Windowing(overlap, most)))

    def renew(self, lease: Lease) -> None:
        """Let a lease last from now on, unless another process has taken the portion over."""
        with self._database.write() as connection:
            connection.execute(_RENEW, (self.lease, lease.build, lease.number, lease.holder))

    def finish(self, lease: Lease) -> None:
        """Note that the vectors of a portion are stored, by whomever."""
        with self._database.write() as connection:
            connection.execute(_FINISH, (lease.build, lease.number))

    def state(self, build: UUID) -> BuildState | None:
        """Return how far the build is; None if another process has withdrawn it."""
        with self._database.read() as connection:
            row = connection.execute("SELECT documents, portions FROM builds WHERE id = %s", (build,)).fetchone()
        return None if row is None else BuildState(row[0] or 0, row[1] or 0)

    def stored(self, fingerprint: str) -> Seqs | None:
        """Return the documents of a portion that is done; None if none is."""
        with self._database.read() as connection:
            row = connection.execute(_STORED, (fingerprint,)).fetchone()
        return None if row is None else np.array(row[0], np.int64)

    def withdraw(self, build: UUID) -> None:
        """Take the build and its portions away."""
        with self._database.write() as connection:
            # In the order in which `finish` takes the locks.
            connection.execute("DELETE FROM portions WHERE build = %s", (build,))
            connection.execute("DELETE FROM builds WHERE id = %s", (build,))
