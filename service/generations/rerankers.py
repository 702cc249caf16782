"""The one owner of the active reranker: every change of it is a step of the writing thread.

A reranker has no index, so it is activated at once. The record of it is one note of the corpus: what is active, and
what was before. Of several replicas the one that leads writes it, and the others switch when they read of that.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from pydantic import BaseModel, ConfigDict, Field

from service.cluster.base import Coordination, Replicas
from service.corpus.base import Records
from service.errors import InstarError
from service.generations.errors import no_reranker, no_reranker_before, no_such_reranker, reranker_replaced
from service.generations.joining import Missing
from service.generations.loaded import ACTIVE
from service.machine.threads import run_to_completion
from service.machine.writer import WritingThread
from service.models.base import Reranker
from service.models.loader import RerankerLoader
from service.observability.observer import Observer

log = logging.getLogger(__name__)

_NOTE = "reranker"
# Former rerankers whose checkpoints are kept for a return.
_FORMER = 2


class RerankerRecord(BaseModel):
    """The durable record of a reranker."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    model: str = Field(description="id of its checkpoint")
    by_default: bool = Field(False, description="whether searches are reranked that do not say so")
    activated: datetime = Field(description="when it became active")
    activated_by: str | None = Field(None, description="name of the key that asked for that; null: none was needed")
    warnings: list[str] = Field([], description="what somebody should know of it, each as a sentence")


class _Note(BaseModel):
    """The active reranker, and the former ones, the latest first; None: there was none."""

    active: RerankerRecord | None = None
    former: list[RerankerRecord | None] = []


@dataclass(frozen=True, eq=False)
class ActiveReranker:
    """A loaded reranker with its record."""

    record: RerankerRecord
    reranker: Reranker

    @property
    def model(self) -> str:
        """The checkpoint's id."""
        return self.record.model


def recorded(records: Records) -> set[str]:
    """Ids of the checkpoints of the active reranker and of those before it that one can return to."""
    note = _read(records)
    return {record.model for record in (note.active, *note.former) if record is not None}


class Rerankers:
    """The reranker that answers, and the way back to the one before. It is the `Joinable` of rerankers."""

    def __init__(
        self,
        records: Records,
        thread: WritingThread,
        loader: RerankerLoader,
        aliases: Mapping[str, str],
        observer: Observer,
        coordination: Coordination,
        replicas: Replicas,
    ) -> None:
        self._records = records
        self._coordination = coordination
        self._replicas = replicas
        self._thread = thread
        self._loader = loader
        self._aliases = aliases
        self._observer = observer
        self.active: ActiveReranker | None = None
        self.missing: Missing | None = None
        self._beside: Reranker | None = None
        # The one that could not be loaded at the start.
        self._left_out: RerankerRecord | None = None

    def acquire(self, model: str | None = None) -> ActiveReranker:
        """The reranker that answers a request for `model`: none or "active", its id, or an alias of one of these.

        Raises NotFound, with the way to load one, if there is none or it is another one.
        """
        active = self.active
        if active is None:
            raise no_reranker()
        meant = model if model is None else self._aliases.get(model, model)
        if meant not in (None, ACTIVE, active.model):
            raise no_such_reranker(str(model), active.model)
        return active

    def last_activation(self) -> RerankerRecord | None:
        """Return the record of the active reranker when every activation that has begun is made or undone."""
        self._records.wait_for_changes()
        return _read(self._records).active

    def recorded(self) -> set[str]:
        """Ids of the checkpoints of the active reranker and of those that one can return to."""
        return recorded(self._records)

    async def restore(self) -> None:
        """Load the reranker that was active; one that cannot be loaded is left out, with a warning in the log."""
        record = _read(self._records).active
        if record is None:
            return
        try:
            reranker = await run_to_completion(partial(self._loader.load, record.model))
        # Searches answer without it.
        except (InstarError, MemoryError, OSError) as error:
            log.warning("the reranker %s cannot be loaded, so nothing is reranked: %s", record.model, error)
            self.missing, self._left_out = None, record
            return
        await self._thread.run(partial(self._set, ActiveReranker(record, reranker)))
        log.info("the reranker %s is active again", record.model)

    async def activate(
        self,
        reranker: Reranker,
        *,
        by_default: bool,
        by: str | None,
        warnings: Sequence[str] = (),
        warn: Callable[[str], None] = lambda _: None,
    ) -> ActiveReranker:
        """Make `reranker` the active one, durably, on all replicas; raises NotLeader if another process leads.

        `warn` is called with a sentence on each replica that cannot answer with it yet.
        """
        record = RerankerRecord(
            model=reranker.checkpoint.id,
            by_default=by_default,
            activated=datetime.now(UTC),
            activated_by=by,
            warnings=list(warnings),
        )
        activated = ActiveReranker(record, reranker)

        def step() -> None:
            note = _read(self._records)
            if note.active is not None and note.active.model == record.model:
                former = note.former
            else:
                former = [note.active, *note.former][:_FORMER]
            self._switch(activated, former)

        async with self._coordination.leading(), self._replicas.prepared(record.model, 0, "reranker") as left_behind:
            for sentence in left_behind:
                warn(sentence)
            await self._thread.run(step)
        log.info("the reranker %s is active", record.model)
        return activated

    async def rollback(self, by: str | None) -> ActiveReranker | None:
        """Return to what was active before, which may be no reranker at all.

        Raises InvalidRequest if nothing was, and Conflict if another reranker became active in the time of loading, or
        another process leads.
        """
        async with self._coordination.leading():
            note = await asyncio.to_thread(_read, self._records)
            if not note.former:
                raise no_reranker_before()
            former, *others = note.former

            def switch(activated: ActiveReranker | None) -> None:
                if _read(self._records) != note:
                    raise reranker_replaced()
                self._switch(activated, others)

            if former is None:
                await self._thread.run(partial(switch, None))
                log.info("there is no reranker again")
                return None
            reranker = await run_to_completion(partial(self._loader.load, former.model))
            update = {"activated": datetime.now(UTC), "activated_by": by}
            activated = ActiveReranker(former.model_copy(update=update), reranker)
            async with self._replicas.prepared(former.model, 0, "reranker"):
                await self._thread.run(partial(switch, activated))
        log.info("the reranker is %s again", activated.model)
        return activated

    def adopt(self) -> None:
        """See `Joinable`."""
        record = _read(self._records).active
        self.missing = None
        if record is None:
            self._set(None)
        elif record != self._left_out:
            reranker = self._loaded(record.model)
            if reranker is None:
                self.missing = Missing(record.model, 0)
            else:
                self._set(ActiveReranker(record, reranker))

    @asynccontextmanager
    async def beside(self, model: str, number: int, only_builds: Callable[[], bool]) -> AsyncIterator[None]:  # noqa: ARG002
        """See `Joinable`."""
        with self._loader.hold(model):
            if self._loaded(model) is None:
                checkpoint = await run_to_completion(partial(self._loader.install, model))
                reranker = await self._loader.load_beside(checkpoint)
                await self._loader.probe(reranker)
                self._beside = reranker
            try:
                yield
            finally:
                self._beside = None

    def _loaded(self, model: str) -> Reranker | None:
        """Return the reranker with that id, if it is the active one or loaded beside that."""
        loaded = (self.active.reranker if self.active is not None else None, self._beside)
        return next((each for each in loaded if each is not None and each.checkpoint.id == model), None)

    def _switch(self, reranker: ActiveReranker | None, former: list[RerankerRecord | None]) -> None:
        """Make `reranker` the active one, first in the records: a step of the writing thread."""
        note = _Note(active=None if reranker is None else reranker.record, former=former)
        self._records.announce(_NOTE, note.model_dump_json())
        self._observer.step("reload.recorded")
        self._set(reranker)
        self._observer.step("reload.switched")

    def _set(self, reranker: ActiveReranker | None) -> None:
        self.active, self.missing, self._left_out = reranker, None, None


def _read(records: Records) -> _Note:
    note = records.note(_NOTE)
    return _Note() if note is None else _Note.model_validate_json(note)
