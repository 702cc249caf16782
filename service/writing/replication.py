"""This process as one of several replicas: what it shows of the others' changes, and whether it may answer."""

import asyncio
import logging
from contextlib import suppress
from uuid import UUID

from service.cluster.base import ReplicaState, Reports
from service.errors import InstarError, NotReady
from service.generations.joining import Joining
from service.generations.loaded import LoadedGenerations
from service.settings.groups import ReplicaSettings
from service.writing.following import Following
from service.writing.trimming import Trimming

log = logging.getLogger(__name__)

_REPORT_EVERY = 1.0


class Replication:
    """Follows the other replicas, joins them in a switch, and tells them how this one is."""

    def __init__(
        self,
        identity: UUID,
        name: str,
        following: Following,
        joining: Joining,
        reports: Reports,
        generations: LoadedGenerations,
        settings: ReplicaSettings,
    ) -> None:
        self.following = following
        self._identity = identity
        self._name = name
        self._joining = joining
        self._reports = reports
        self._generations = generations
        self._settings = settings
        self._trimming = Trimming(following.changes, reports)

    def problem(self) -> str | None:
        """Say why this replica must not answer; None if it may."""
        if self.following.ended is not None:
            return self.following.ended
        missing = self._joining.missing
        if missing is not None:
            reason = self._joining.hindrance
            return f"{missing} is active, and this replica " + (
                f"cannot load it: {reason}" if reason else "loads it still"
            )
        behind = self.following.age()
        if behind > max(self._settings.lag_seconds, self._settings.stale_seconds):
            return f"changes of the others have not been seen for {behind:.1f} s: check the database"
        return None

    def require_current(self) -> None:
        """Raise NotReady if this replica could answer otherwise than the others."""
        problem = self.problem()
        if problem is not None:
            raise NotReady(f"{problem}; ask another replica meanwhile")

    async def run(self) -> None:
        """Follow, join and report until cancelled, and say then that this replica is gone."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.following.run())
                group.create_task(self._joining.run(self.following.catch_up))
                group.create_task(self._report())
                group.create_task(self._trimming.run())
        finally:
            with suppress(InstarError):
                await asyncio.to_thread(self._reports.leave, self._identity)

    async def _report(self) -> None:
        while True:
            # If the store cannot be reached, whoever follows says so.
            with suppress(InstarError):
                await asyncio.to_thread(self._reports.report, self._state())
            await asyncio.sleep(_REPORT_EVERY)

    def _state(self) -> ReplicaState:
        active = self._generations.active
        prepared, unable = self._joining.prepared, self._joining.unable
        # Whoever waits for what it cannot prepare reads why, also if it lacks another model as well.
        problem = self._joining.problem if unable is not None else self.problem() or self._joining.problem
        return ReplicaState(
            id=self._identity,
            name=self._name,
            address=self._settings.address,
            position=self.following.position,
            epoch=0 if active is None else active.record.activation,
            prepared=[] if prepared is None else [prepared],
            problem=problem,
            unable=unable,
        )
