"""The job of one reload: its state, stage, progress and outcome, as callers see them and records keep them."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal, get_args
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from service.checkpoints.model_kind import Kind
from service.corpus.base import GenerationRecord
from service.generations.rerankers import RerankerRecord
from service.reload.judged import Judged
from service.reload.shadow import Comparison

log = logging.getLogger(__name__)

JobState = Literal["queued", "running", "done", "failed", "cancelled", "refused"]
ENDS: tuple[JobState, ...] = ("done", "failed", "cancelled", "refused")
Stage = Literal[
    "queued", "install", "load", "probe", "resources", "embed", "index", "judge", "shadow", "activate", "ended"
]
STAGES: tuple[Stage, ...] = get_args(Stage)


class Shadowed(BaseModel):
    """The results of a generation in the shadow, as means over the searches that both generations answered."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    searches: int = Field(0, description="searches that both generations answered")
    skipped: int = Field(0, description="searches that were left out, because others were under way or this one failed")
    overlap: float = Field(0, description="documents that both found, as a share of the longer result")
    same_first: float = Field(0, description="share of the searches with the same first document")
    score_shift: float = Field(
        0, description="mean score of its results, less the mean score of the active generation's"
    )
    active_ms: float = Field(0, description="milliseconds that the active generation took to encode and search")
    shadow_ms: float = Field(0, description="milliseconds that the generation in the shadow took to encode and search")

    def count(self, compared: Comparison | None) -> None:
        """Add the comparison of one search; None: the search was left out."""
        if compared is None:
            self.skipped += 1
            return
        self.searches += 1
        for name, value in (
            ("overlap", compared.overlap),
            ("same_first", float(compared.same_first)),
            ("score_shift", compared.shift),
            ("active_ms", 1000 * compared.active_seconds),
            ("shadow_ms", 1000 * compared.shadow_seconds),
        ):
            mean = getattr(self, name)
            setattr(self, name, mean + (value - mean) / self.searches)


class Job(BaseModel):
    """A reload."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    id: str = Field(default_factory=lambda: uuid4().hex, description="its id")
    state: JobState = Field("queued", description="whether it goes on, and if not, how it ended")
    stage: Stage = Field("queued", description="what it does now")
    done: int = Field(0, description="documents that are embedded")
    total: int = Field(0, description="documents to embed, which grows while people write")
    rate: float | None = Field(None, description="documents per second")
    eta_s: float | None = Field(None, description="seconds until all are embedded, at this rate")
    reason: str | None = Field(None, description="why it ended as it did, and what to do next")
    model: str = Field(description="name or id of the checkpoint, as it was asked for")
    kind: Kind = Field("dense", description="dense: an encoder with its index is replaced; reranker: the reranker is")
    by_default: bool = Field(False, description="reranker: whether searches are reranked that do not say so")
    force: bool = Field(False, description="as it was asked for")
    shadow: float | None = Field(None, description="share of live searches that it answers in the shadow first")
    by: str | None = Field(None, description="name of the key that asked for it; null: none was needed")
    brings_back: int | None = Field(
        None,
        description="number of a retained generation that it brings back under that number; null: it gets a new one",
    )
    generation: int | None = Field(None, description="number of the generation that it activated")
    checkpoint: str | None = Field(None, description="id that the checkpoint turned out to have, from `load` on")
    fingerprint: str | None = Field(None, description="its document fingerprint, from `load` on")
    engine: str | None = Field(None, description="engine that computes it, and its precision, from `load` on")
    engine_reason: str | None = Field(None, description="why that engine, from `load` on")
    reused: int = Field(0, description="documents whose vectors were there already")
    judged: Judged | None = Field(
        None,
        description="both generations on the judged queries; null: none was judged, and `warnings` or `reason` say why",
    )
    shadowed: Shadowed | None = Field(None, description="what the shadow has shown so far")
    warnings: list[str] = Field([], description="what somebody should know of the generation, each as a sentence")
    attempts: int = Field(0, description="how often it was begun, or begun again after a crash")
    created: datetime = Field(default_factory=lambda: datetime.now(UTC), description="when it was asked for")
    ended: datetime | None = Field(None, description="when it ended")
    _began: float = PrivateAttr(0.0)
    _counted: int = PrivateAttr(0)
    _lap: float = PrivateAttr(0.0)

    @classmethod
    def of_rollback(cls, former: GenerationRecord, by: str | None) -> "Job":
        """The reload by which a rollback leads to a generation that is not loaded.

        A retained one keeps its number: a later one would be a step forward from where the rollback led.
        """
        number = None if former.state == "released" else former.number
        return cls(model=former.model, force=True, by=by, brings_back=number)

    def is_done_by(self, active: GenerationRecord | RerankerRecord) -> bool:
        """Whether that active generation or reranker is the one that the job was to lead to."""
        if isinstance(active, RerankerRecord):
            return (active.model, active.by_default) == (self.checkpoint, self.by_default)
        return active.model == self.checkpoint and self.brings_back in (None, active.number)

    def forget_queries(self, known: Callable[[str, str], bool]) -> bool:
        """Leave out the queries, each with its collection, that are not `known`. Returns whether there were any."""
        named = None if self.judged is None else self.judged.naming(known)
        if named == self.judged:
            return False
        self.judged = named
        # The second line of a judge's reason names queries.
        self.reason = self.reason and self.reason.partition("\n")[0]
        return True

    @property
    def over(self) -> bool:
        return self.state not in ("queued", "running")

    def warn(self, sentence: str) -> None:
        """Add a warning to the job, and so to the generation's record, and to the log."""
        if sentence not in self.warnings:
            self.warnings.append(sentence)
            log.warning("reload %s of %s: %s", self.id, self.checkpoint or self.model, sentence)

    def expect(self, total: int) -> None:
        """Begin to count `total` documents."""
        self.done, self.total = 0, total
        self._began, self._counted = time.monotonic(), 0

    def lap(self) -> float:
        """The seconds since the call before; 0 at the first call."""
        now = time.monotonic()
        began, self._lap = self._lap, now
        return round(now - began, 2) if began else 0.0

    def advance(self, documents: int) -> None:
        """Count embedded documents. There may be more than expected, because people write."""
        self.done += documents
        self._counted += documents
        self.total = max(self.total, self.done)
        elapsed = time.monotonic() - self._began
        if elapsed > 0:
            self.rate = round(self._counted / elapsed, 2)
            self.eta_s = round((self.total - self.done) / self.rate, 1) if self.rate else None
