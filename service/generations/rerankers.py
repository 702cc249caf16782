"""The one owner of the active reranker: every change of it is a step of the writing thread.

A reranker has no index, so it is activated at once. The record of it is one note of the corpus: what is active, and
what was before.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from pydantic import BaseModel, ConfigDict, Field

from service.corpus.base import Records
from service.errors import InstarError
from service.generations.errors import no_reranker, no_reranker_before, no_such_reranker, reranker_replaced
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
    """The reranker that answers, and the way back to the one before."""

    def __init__(
        self,
        records: Records,
        thread: WritingThread,
        loader: RerankerLoader,
        aliases: Mapping[str, str],
        observer: Observer,
    ) -> None:
        self._records = records
        self._thread = thread
        self._loader = loader
        self._aliases = aliases
        self._observer = observer
        self.active: ActiveReranker | None = None

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

    def recorded(self) -> set[str]:
        """Ids of the checkpoints of the active reranker and of those that one can return to."""
        return recorded(self._records)

    async def restore(self) -> None:
        """Load the reranker that was active; one that cannot be loaded is left out, with a warning in the log."""
        record = _read(self._records).active
        if record is None:
            return
        try:
            reranker = await run_to_completion(partial(self._loader.reopen, record.model))
        except InstarError as error:
            log.warning("the reranker %s cannot be loaded, so nothing is reranked: %s", record.model, error)
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
    ) -> ActiveReranker:
        """Make `reranker` the active one, durably."""
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

        await self._thread.run(step)
        log.info("the reranker %s is active", record.model)
        return activated

    async def rollback(self, by: str | None) -> ActiveReranker | None:
        """Return to what was active before, which may be no reranker at all.

        Raises InvalidRequest if nothing was, and Conflict if another reranker became active in the time of loading.
        """
        note = _read(self._records)
        if not note.former:
            raise no_reranker_before()
        former, *others = note.former
        activated = None
        if former is not None:
            reranker = await run_to_completion(partial(self._loader.reopen, former.model))
            update = {"activated": datetime.now(UTC), "activated_by": by}
            activated = ActiveReranker(former.model_copy(update=update), reranker)

        def step() -> None:
            if _read(self._records) != note:
                raise reranker_replaced()
            self._switch(activated, others)

        await self._thread.run(step)
        log.info("the reranker is %s again", "none" if activated is None else activated.model)
        return activated

    def _switch(self, reranker: ActiveReranker | None, former: list[RerankerRecord | None]) -> None:
        """Make `reranker` the active one, first in the records: a step of the writing thread."""
        note = _Note(active=None if reranker is None else reranker.record, former=former)
        self._records.save_note(_NOTE, note.model_dump_json())
        self._observer.step("reload.recorded")
        self._set(reranker)
        self._observer.step("reload.switched")

    def _set(self, reranker: ActiveReranker | None) -> None:
        self.active = reranker


def _read(records: Records) -> _Note:
    note = records.note(_NOTE)
    return _Note() if note is None else _Note.model_validate_json(note)
