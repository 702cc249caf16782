"""Any number of processes on one schema of PostgreSQL, one of which leads."""

import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from service.cluster.base import NotLeader
from service.cluster.lead import Lead, another_leads
from service.machine.threads import run_to_completion
from service.postgres.database import Connection, Database

# Seconds of silence after which the server takes the lead away.
_LEASE = 15.0
# Seconds between looks whether another process still leads.
_LOOK_EVERY = 0.1


class PostgresCoordination:
    """The coordination of processes that take the lead in turns. Safe from any thread."""

    shared = True

    def __init__(self, database: Database, lease: float = _LEASE, patience: float = 0) -> None:
        """`lease` is the seconds of silence, by the server's clock, after which this process has lost the lead.

        One that another process has is waited for for `patience` seconds, because most steps take no longer.
        """
        self._database = database
        self._lease = lease
        self._patience = patience
        self._changing = threading.Lock()
        self._blocks = set[object]()
        self._lead: Lead | None = None

    @property
    def epoch(self) -> int | None:
        """The epoch of the lead that this process has taken; None if it has not. It may have lost it since."""
        lead = self._lead
        return None if lead is None else lead.epoch

    @asynccontextmanager
    async def leading(self) -> AsyncIterator[None]:
        """See `Coordination`; raises StorageFailed as well, if the server cannot be used."""
        block = object()
        try:
            await run_to_completion(partial(self._enter, block))
            yield
        finally:
            await run_to_completion(partial(self._leave, block))

    def require_lead(self) -> None:
        """See `Coordination`. It asks the server, and takes its silence for a lost lead."""
        self._held().require()

    def fence(self, transaction: Connection) -> None:
        """Raise NotLeader, in a transaction that records something, unless this process still leads.

        Nobody else takes the lead before the transaction ends. A process that is stopped between `require_lead` and the
        end of its transaction could record an activation of a former epoch without this.
        """
        self._held().require_in(transaction)

    def _held(self) -> Lead:
        lead = self._lead
        if lead is None:
            raise another_leads()
        return lead

    def _enter(self, block: object) -> None:
        with self._changing:
            if self._lead is None:
                self._lead = self._taken()
            else:
                self._lead.require()
            self._blocks.add(block)

    def _taken(self) -> Lead:
        give_up = time.monotonic() + self._patience
        while True:
            try:
                return Lead.take(self._database, self._lease)
            except NotLeader:
                if time.monotonic() >= give_up:
                    raise
            time.sleep(_LOOK_EVERY)

    def _leave(self, block: object) -> None:
        with self._changing:
            self._blocks.discard(block)
            if not self._blocks and self._lead is not None:
                lead, self._lead = self._lead, None
                lead.give_back()
