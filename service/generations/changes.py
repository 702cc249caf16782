"""Changes of the active checkpoint, as clients that keep vectors of their own have to know them."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from pydantic import BaseModel, Field

from service.corpus.base import Records


class Former(BaseModel):
    """A checkpoint that still answers who names it."""

    generation: int = Field(description="number of its generation")
    model: str = Field(description="id of the checkpoint")
    until: datetime | None = Field(description="when that ends; null: when later ones push it out")


class Change(BaseModel):
    """Another checkpoint has become active, or a former one again."""

    id: int = Field(description="grows with every change")
    type: Literal["model.activated"] = Field(description="what has happened")
    generation: int = Field(description="number of the generation that is active now")
    model: str = Field(description="id of its checkpoint")
    fingerprint: str = Field(description="of what decides documents' vectors: those of another one do not fit")
    dimensions: int = Field(description="dimensions of its vectors")
    activated: datetime = Field(description="when it became active")
    former: list[Former] = Field(description="checkpoints that still answer who names them")


class Changes:
    """What the records say of activations. A generation that was activated again is listed at its last activation."""

    def __init__(self, records: Records, retain_hours: float) -> None:
        self._records = records
        self._hours = retain_hours

    def after(self, identity: int | None) -> list[Change]:
        """The changes after that one, the oldest first; None: the last one alone."""
        records = sorted(self._records.generations(), key=lambda record: record.activation)
        former = [
            Former(generation=record.number, model=record.model, until=self._until(later.activated))
            for record, later in pairwise(records)
            if record.state == "retained"
        ]
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

    def outlived(self, now: datetime) -> list[int]:
        """Numbers of the retained generations whose time is over."""
        return [
            former.generation
            for change in self.after(None)
            for former in change.former
            if former.until is not None and former.until <= now
        ]

    def _until(self, replaced: datetime | None) -> datetime | None:
        if not self._hours or replaced is None:
            return None
        return replaced + timedelta(hours=self._hours)
