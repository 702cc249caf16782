"""The way from a checkpoint to an encoder on the engine that suits the machine.

An engine other than torch in fp32 is used only if it gives torch's vectors. A trial in a child process finds that out
before this process touches the checkpoint: if native code crashes there, that costs the engine or the checkpoint, and
never the service.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from service.checkpoints.checkpoint import Checkpoint
from service.errors import CheckpointRefused
from service.machine import resources
from service.machine.cache import Cache
from service.machine.children import ChildLost, Children, Limits, never
from service.machine.priority import Priorities, idle_priority_session, lowered_afterwards
from service.models.computed import Computed
from service.models.configuration import Configuration
from service.models.dense import DenseEncoder
from service.models.engines.base import Unsuitable
from service.models.engines.engines import CALIBRATED, Engines
from service.models.pace import Pace, measure
from service.models.reranker import CrossEncoderReranker
from service.models.trial import Line, Trial
from service.models.verdict import Rejection, Verdict, Verdicts
from service.settings import EngineChoice

log = logging.getLogger(__name__)

# A trial may take this many times the memory that loading is reckoned to take, plus the bytes that any process needs.
_MEMORY_FACTOR, _PROCESS_MEMORY = 3, 1 << 30

_Kind = TypeVar("_Kind", bound=Computed)
_Loading = Callable[[Priorities], _Kind]


def _at_start(loading: _Loading[_Kind]) -> _Kind:
    """Load at normal priority: nothing answers yet for which loading has to make way."""
    return loading(Priorities(lowest=lowered_afterwards))


def _beside(loading: _Loading[_Kind]) -> _Kind:
    """Load at the lowest priority, because another encoder answers."""
    return idle_priority_session(lambda normal: loading(Priorities(normal=normal)))


@dataclass(frozen=True, slots=True)
class Trials:
    """The children in which checkpoints are tried, the seconds that a trial may take, and how engines are measured."""

    children: Children
    seconds: float
    pace: Pace = measure


class CheckpointFactory(Generic[_Kind]):
    """Loads checkpoints of one kind, each by `opening` on so many processors.

    Conversions and verdicts are kept in `folder`; `sample(n)` gives the texts of n documents.
    """

    opening: Callable[[Checkpoint, int], _Kind]

    def __init__(
        self,
        choice: EngineChoice,
        folder: Path,
        processors: int,
        sample: Callable[[int], Sequence[str]],
        trials: Trials,
    ) -> None:
        self._choice = choice
        self._engines = Engines(folder, processors)
        self._cache = Cache(folder)
        self._cache.sweep()
        self._verdicts = Verdicts(self._cache, choice, processors)
        self._sample = sample
        self._trials = trials

    def loading(self, checkpoint: Checkpoint) -> int:
        """Bytes of memory that the checkpoint's trial, and then loading it, take."""
        return resources.loading(checkpoint.computed_size, self._choice)

    def load(self, checkpoint: Checkpoint) -> _Kind:
        """Load `checkpoint`; raises CheckpointRefused if it cannot be loaded."""
        return self._load(checkpoint, _at_start, self._limits(checkpoint))

    def load_beside(self, checkpoint: Checkpoint, given_up: Callable[[], bool] = never) -> _Kind:
        """Load `checkpoint` while another encoder answers queries: slow steps run at the lowest priority.

        Never use it for the first load in a process: thread pools that all encoders share would inherit that priority.
        Once `given_up` answers true, a trial under way ends with GivenUp.
        """
        limits = replace(self._limits(checkpoint), idle=True, given_up=given_up)
        return self._load(checkpoint, _beside, limits)

    def forget(self, keep: set[str]) -> None:
        """Delete the conversions and verdicts of all checkpoints but those with the ids in `keep`."""
        self._engines.forget(keep)

    def _load(self, checkpoint: Checkpoint, at_priority: Callable[[_Loading[_Kind]], _Kind], limits: Limits) -> _Kind:
        verdict = self._verdicts.find(checkpoint)
        if verdict is not None and verdict.reliable:
            try:
                return at_priority(partial(self._loaded, checkpoint, verdict))
            except Unsuitable as reason:
                log.warning(
                    "%s does not load on the engine of its last trial, and is tried again: %s", checkpoint.id, reason
                )
        verdict = self._tried(checkpoint, verdict, limits)
        try:
            return at_priority(partial(self._loaded, checkpoint, verdict))
        except Unsuitable as reason:
            return at_priority(partial(self._loaded, checkpoint, verdict.without_engine(str(reason))))

    def _loaded(self, checkpoint: Checkpoint, verdict: Verdict, priorities: Priorities) -> _Kind:
        """Load the checkpoint as the verdict says; raises Unsuitable if this process cannot, though a child could."""
        self._verdicts.keep(checkpoint, verdict.begun())
        encoder = self.opening(checkpoint, self._engines.processors)
        if verdict.configuration is not None:
            encoder.rely_on(self._engines.make(encoder, verdict.configuration, priorities))
        self._verdicts.keep(checkpoint, verdict)
        encoder.engine_reason = self._reason(verdict)
        computed = f"{checkpoint.id} is computed by {encoder.engine} because"
        if verdict.rejections:
            encoder.warnings.append(f"{computed} {verdict.because}")
        for warning in encoder.warnings:
            log.warning("%s", warning)
        if not verdict.rejections:
            log.info("%s %s", computed, encoder.engine_reason)
        elif verdict.pace:
            log.info("%s: %s", checkpoint.id, verdict.pace)
        return encoder

    def _reason(self, verdict: Verdict) -> str:
        """Why the configuration of the verdict was taken, as the end of a sentence."""
        if verdict.rejections:
            reasons = [verdict.because]
        elif verdict.configuration is None:
            asked = self._choice == "torch"
            reasons = ["INSTAR_ENGINE=torch asks for it" if asked else "no other engine is for it here"]
        else:
            reasons = [f"its least cosine to torch is {verdict.agreement:.5f}"]
        return "; ".join([*reasons, *filter(None, [verdict.pace])])

    def _tried(self, checkpoint: Checkpoint, former: Verdict | None, limits: Limits) -> Verdict:
        """The verdict after as many trials as it takes; raises CheckpointRefused if torch cannot compute it either."""
        log.info("trying how %s is computed fastest here: it takes seconds, and is remembered", checkpoint.id)
        findings = _Findings(list(former.lasting()) if former is not None else [])
        while findings.verdict is None:
            self._try(checkpoint, findings, limits)
        return findings.verdict

    def _try(self, checkpoint: Checkpoint, findings: "_Findings", limits: Limits) -> None:
        """Try the configurations that have not been rejected; the loss of the child rejects the one it was trying."""
        texts = self._sample(CALIBRATED) if self._choice == "int8" else []
        trial = Trial(
            checkpoint, self._engines, self._choice, tuple(findings.rejections), texts, self.opening, self._trials.pace
        )
        try:
            self._trials.children.run(trial, limits, findings.add)
        except ChildLost as lost:
            trying = findings.trying
            if trying is None:
                raise CheckpointRefused(
                    f"{checkpoint.id} cannot be computed here: torch in fp32 was tried in a process of its own, and"
                    f" {lost}; use a smaller checkpoint, or train or copy it again"
                ) from lost
            log.warning(
                "%s cannot be computed by %s, so another engine is tried: %s\n%s",
                checkpoint.id,
                trying,
                lost,
                lost.output,
            )
            self._cache.sweep()
            passing, crashed = lost.cause == "memory", lost.cause == "crash"
            findings.rejections.append(
                Rejection(configuration=trying, reason=str(lost), passing=passing, crashed=crashed)
            )

    def _limits(self, checkpoint: Checkpoint) -> Limits:
        """Limits of a trial: no more memory than is free, because the kernel might kill any process to make room."""
        memory = min(resources.available_memory(), _PROCESS_MEMORY + _MEMORY_FACTOR * self.loading(checkpoint))
        return Limits(memory, self._trials.seconds)


class EncoderFactory(CheckpointFactory[DenseEncoder]):
    """Loads embedding models."""

    opening = DenseEncoder


class RerankerFactory(CheckpointFactory[CrossEncoderReranker]):
    """Loads cross-encoders."""

    opening = CrossEncoderReranker


@dataclass(slots=True)
class _Findings:
    """The findings of a checkpoint's trials so far; `trying` is the configuration that the child is at."""

    rejections: list[Rejection]
    trying: Configuration | None = None
    verdict: Verdict | None = None

    def add(self, line_json: str) -> None:
        """Take in a `Line` of the child, as JSON; raises CheckpointRefused if it refuses the checkpoint."""
        line = Line.model_validate_json(line_json)
        if line.event == "refused":
            raise CheckpointRefused(line.reason)
        if line.event == "trying":
            self.trying = line.configuration
        elif line.event == "passed":
            self.verdict = Verdict(
                configuration=line.configuration,
                agreement=line.agreement,
                pace=line.pace,
                rejections=tuple(self.rejections),
            )
        elif line.rejection is not None:
            self.rejections.append(line.rejection)
