"""One reload as its callers see it: state, stage, progress and outcome, kept across restarts."""

import time
from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

from pydantic import BaseModel, Field, PrivateAttr

JobState = Literal["queued", "running", "done", "failed", "cancelled", "refused"]
Stage = Literal["queued", "install", "load", "probe", "resources", "embed", "index", "activate", "ended"]


class Job(BaseModel):
    """A reload. `done` and `total` count documents to embed, `rate` is documents per second, `eta_s` seconds.

    `model` is what was asked for; `checkpoint` the id it turned out to be, from the stage `load` on.
    """

    id: str = Field(default_factory=lambda: uuid4().hex)
    state: JobState = "queued"
    stage: Stage = "queued"
    done: int = 0
    total: int = 0
    rate: float | None = None
    eta_s: float | None = None
    reason: str | None = None
    model: str
    force: bool = False
    generation: int | None = None
    checkpoint: str | None = None
    fingerprint: str | None = None
    reused: int = 0
    attempts: int = 0
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None
    _began: float = PrivateAttr(0.0)
    _counted: int = PrivateAttr(0)

    @property
    def over(self) -> bool:
        return self.state not in ("queued", "running")

    def expect(self, total: int) -> None:
        """Begin to count `total` documents."""
        self.done, self.total = 0, total
        self._began, self._counted = time.monotonic(), 0

    def advance(self, documents: int) -> None:
        """Count documents that were embedded; more may come than were expected, while people write."""
        self.done += documents
        self._counted += documents
        self.total = max(self.total, self.done)
        elapsed = time.monotonic() - self._began
        if elapsed > 0:
            self.rate = round(self._counted / elapsed, 2)
            self.eta_s = round((self.total - self.done) / self.rate, 1) if self.rate else None
