"""A checkpoint's trial: it is loaded, converted, compiled and compared in a child process before the service does so.

torch in fp32 says which vectors are right. Then the configurations are tried in order until one gives those vectors.
Its conversion is kept on the disk. The child reports line by line, so that the service knows which configuration a
child was at when it died.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from service.checkpoints.checkpoint import Checkpoint
from service.errors import CheckpointRefused, EncodingFailed
from service.machine.arrays import Vectors
from service.machine.children import Say
from service.machine.priority import ONE_PRIORITY
from service.models import probe
from service.models.base import CORES, Prepared, Side
from service.models.computed import Computed
from service.models.configuration import Configuration
from service.models.engines.base import Unsuitable
from service.models.engines.engines import Engines
from service.models.verdict import Rejection
from service.observability.observer import Observer
from service.settings import EngineChoice

_SEVERAL = {"streams": "several"}
_SIDES: tuple[Side, ...] = ("query", "document")
# Short and long texts, alone and padded: a trace that fits only one shape must be noticed.
_LONG = " ".join(probe.TEXTS * 3)
_BATCHES = (probe.TEXTS, ("No",), (_LONG,), ("No", _LONG, probe.TEXTS[0]))


class Line(BaseModel):
    """One line of a trial's report.

    `trying`: the trial of a configuration begins (none: torch in fp32). `rejected`: the configuration does not suit.
    `refused`: the checkpoint cannot be computed. `passed`: the configuration suits, with `agreement`, the least cosine
    to torch; this ends the trial.
    """

    event: Literal["trying", "passed", "rejected", "refused"]
    configuration: Configuration | None = None
    agreement: float = 1.0
    rejection: Rejection | None = None
    reason: str = ""


@dataclass(frozen=True)
class Trial:
    """A checkpoint to be tried; picklable.

    `opening` loads it. `rejections` come from earlier trials, `texts` from the corpus.
    """

    checkpoint: Checkpoint
    engines: Engines
    choice: EngineChoice
    rejections: Sequence[Rejection]
    texts: Sequence[str]
    opening: Callable[[Checkpoint, int], Computed]

    def __call__(self, say: Say, observer: Observer) -> None:
        """Run the trial; `say` is called with one `Line` at a time, as JSON."""

        def tell(line: Line) -> None:
            say(line.model_dump_json())

        try:
            tell(Line(event="trying"))
            observer.step("trial.torch")
            encoder = self.opening(self.checkpoint, self.engines.processors)
            batches = _batches(encoder)
            expected = [encoder.forward(batch) for batch in batches]
        except CheckpointRefused as refusal:
            return tell(Line(event="refused", reason=refusal.message))
        except EncodingFailed:
            return tell(Line(event="refused", reason=probe.not_finite(self.checkpoint.id)))
        for configuration in self._configurations(encoder):
            tell(Line(event="trying", configuration=configuration))
            try:
                agreement = self._agreement(encoder, configuration, batches, expected, observer)
                return tell(Line(event="passed", configuration=configuration, agreement=agreement))
            except Unsuitable as reason:
                rejection = Rejection(configuration=configuration, reason=str(reason), passing=reason.passing)
                tell(Line(event="rejected", rejection=rejection))
        return tell(Line(event="passed"))

    def _configurations(self, encoder: Computed) -> Iterator[Configuration]:
        """Yield the configurations that have not been rejected; those with one stream only if several crashed."""
        rejected = {rejection.configuration for rejection in self.rejections}
        crashed = {rejection.configuration for rejection in self.rejections if rejection.crashed}
        for configuration in self.engines.configurations(encoder, self.choice):
            eligible = configuration.streams == "several" or configuration.model_copy(update=_SEVERAL) in crashed
            if eligible and configuration not in rejected:
                yield configuration

    def _agreement(
        self,
        encoder: Computed,
        configuration: Configuration,
        batches: Sequence[Sequence[Prepared]],
        expected: Sequence[Vectors],
        observer: Observer,
    ) -> float:
        """The least agreement of the engine's vectors with torch's; raises Unsuitable if it is too low."""
        observer.step("trial.convert")
        self.engines.convert(encoder, configuration, self.texts)
        observer.step("trial.compile")
        engine = self.engines.make(encoder, configuration, ONE_PRIORITY)
        observer.step("trial.compare")
        encoder.use(engine)
        try:
            agreement = min(
                encoder.agreement(encoder.forward(batch, cores), vectors)
                for batch, vectors in zip(batches, expected, strict=True)
                for cores in CORES
            )
        except EncodingFailed as error:
            raise Unsuitable(f"{engine.name} gives vectors that are not finite") from error
        finally:
            encoder.use(None)
        if not agreement >= engine.min_agreement:
            raise Unsuitable(f"{engine.name} gives other vectors (cosine {agreement:.4f}, not {engine.min_agreement})")
        return agreement


def _batches(encoder: Computed) -> list[list[Prepared]]:
    return [encoder.prepare(texts, side) for side in _SIDES for texts in _BATCHES] + encoder.canaries()
