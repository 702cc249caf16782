"""The changes of the active checkpoint, for clients that store vectors themselves."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from pydantic import BaseModel, Field

from service.corpus.base import GenerationRecord, Records
from service.generations.generations import Generations


class Former(BaseModel):
    """A former checkpoint, which still answers requests that name it."""

    generation: int = Field(description="number of its generation")
    model: str = Field(description="id of the checkpoint")
    until: datetime | None = Field(description="when that ends; null: when later generations push it out")


class Change(BaseModel):
    """Another checkpoint has become active, or a former one again."""

    id: int = Field(description="grows with every change")
    type: Literal["model.activated"] = Field(description="what has happened")
    generation: int = Field(description="number of the generation that is active now")
    model: str = Field(description="id of its checkpoint")
    fingerprint: str = Field(description="its document fingerprint: vectors of another one do not fit")
    dimensions: int = Field(description="dimensions of its vectors")
    activated: datetime = Field(description="when it became active")
    former: list[Former] = Field(
        description="checkpoints that still answer requests that name them; of several replicas, one that could not"
        " load such a checkpoint at its start does not"
    )


class Changes:
    """The activations in the records. A generation that was activated twice is listed at its last activation."""

    def __init__(self, records: Records, generations: Generations, retain_hours: float) -> None:
        self._records = records
        self._generations = generations
        self._hours = retain_hours

    def after(self, identity: int | None) -> list[Change]:
        """The changes after the one with the id, the oldest first; None: the last one alone."""
        records = self._activated()
        former = [each for each in self._retained(records) if self._answers(each)]
        changes = [
            Change(
                id=record.activation,
                type="model.activated",
                generation=record.number,
                model=record.model,
                fingerprint=record.fingerprint,
                dimensions=record.dimensions,
                activated=record.activated,
                former=[other for other in former if other.generation != record.number],
            )
            for record in records
            if record.activated is not None and record.activation
        ]
        return changes[-1:] if identity is None else [change for change in changes if change.id > identity]

    def outlived(self) -> list[int]:
        """The numbers of the retained generations whose time is over, by the clock of the store."""
        if not self._hours:
            return []
        now = self._records.now()
        return [
            former.generation
            for former in self._retained(self._activated())
            if former.until is not None and former.until <= now
        ]

    def _activated(self) -> list[GenerationRecord]:
        """The records of all generations, in the order of their activations."""
        return sorted(self._records.generations(), key=lambda record: record.activation)

    def _retained(self, records: Sequence[GenerationRecord]) -> list[Former]:
        return [
            Former(generation=record.number, model=record.model, until=self._until(later.activated))
            for record, later in pairwise(records)
            if record.state == "retained"
        ]

    def _answers(self, former: Former) -> bool:
        """Say whether a former generation was not left out by the start. Other processes may have it all the same."""
        return self._generations.shared or self._generations.loaded(former.generation) is not None

    def _until(self, replaced: datetime | None) -> datetime | None:
        if not self._hours or replaced is None:
            return None
        return replaced + timedelta(hours=self._hours)
