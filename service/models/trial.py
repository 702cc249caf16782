"""A checkpoint's trial: it is loaded, converted, compiled and compared in a child process before the service does so.

torch in fp32 says which vectors are right. Then the configurations are tried in order until one gives those vectors. A
less exact one that may be faster is held to more texts, and is taken if it is faster by a margin on this processor.
Conversions are kept on the disk. The child reports line by line, so that the service knows which configuration a child
was at when it died.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from service import sample
from service.checkpoints.checkpoint import Checkpoint
from service.errors import CheckpointRefused, EncodingFailed
from service.machine.arrays import Vectors
from service.machine.children import Say
from service.machine.priority import ONE_PRIORITY
from service.models import probe
from service.models.base import CORES, Prepared, Side
from service.models.computed import Computed
from service.models.configuration import Configuration
from service.models.engines.base import Engine, Unsuitable
from service.models.engines.engines import Engines
from service.models.pace import Pace
from service.models.verdict import Rejection
from service.observability.observer import Observer
from service.settings import EngineChoice

_SEVERAL = {"streams": "several"}
_SIDES: tuple[Side, ...] = ("query", "document")
# Short and long texts, alone and padded: a trace that fits only one shape must be noticed.
_LONG = " ".join(probe.TEXTS * 3)
_BATCHES = (probe.TEXTS, ("No",), (_LONG,), ("No", _LONG, probe.TEXTS[0]))
# A faster configuration comes nearer to the least agreement than bf16 does, so it is held to more texts: each of these
# numbers of the sample corpus, alone. They come with the service, so that the outcome depends on no corpus.
_QUESTIONS, _PASSAGES = 24, 12
# It takes the place of a more exact one from this many times its speed on.
_MARGIN = 1.1
# The questions of a batch whose speed is measured: as many as one processor computes together under load.
_TOGETHER = 9


class Line(BaseModel):
    """One line of a trial's report.

    `trying`: the trial of a configuration begins (none: torch in fp32). `rejected`: the configuration does not suit.
    `refused`: the checkpoint cannot be computed. `passed`: the configuration suits, with `agreement`, the least cosine
    to torch, and `pace`, the outcome of a faster one; this ends the trial.
    """

    event: Literal["trying", "passed", "rejected", "refused"]
    configuration: Configuration | None = None
    agreement: float = 1.0
    pace: str = ""
    rejection: Rejection | None = None
    reason: str = ""


@dataclass(frozen=True)
class Trial:
    """A checkpoint to be tried; picklable.

    `opening` loads it, and `pace` measures engines. `rejections` come from earlier trials, `texts` from the corpus.
    """

    checkpoint: Checkpoint
    engines: Engines
    choice: EngineChoice
    rejections: Sequence[Rejection]
    texts: Sequence[str]
    opening: Callable[[Checkpoint, int], Computed]
    pace: Pace

    def __call__(self, say: Say, observer: Observer) -> None:
        """Run the trial; `say` is called with one `Line` at a time, as JSON."""

        def tell(line: Line) -> None:
            say(line.model_dump_json())

        try:
            tell(Line(event="trying"))
            observer.step("trial.torch")
            encoder = self.opening(self.checkpoint, self.engines.processors)
            expected = _expected(encoder, _batches(encoder))
        except CheckpointRefused as refusal:
            return tell(Line(event="refused", reason=refusal.message))
        except EncodingFailed:
            return tell(Line(event="refused", reason=probe.not_finite(self.checkpoint.id)))
        for configuration in self._configurations(encoder):
            tell(Line(event="trying", configuration=configuration))
            try:
                engine = self._engine(encoder, configuration, observer)
                agreement = _agreement(encoder, engine, expected)
            except Unsuitable as reason:
                tell(_rejected(configuration, reason))
            else:
                suited = Line(event="passed", configuration=configuration, agreement=agreement)
                return tell(self._fastest(encoder, suited, engine, expected, tell, observer))
        return tell(Line(event="passed"))

    def _fastest(
        self,
        encoder: Computed,
        suited: Line,
        engine: Engine,
        expected: "_Expected",
        tell: Callable[[Line], None],
        observer: Observer,
    ) -> Line:
        """The line `suited`, or that of a configuration that is faster than its `engine` and agrees as well."""
        exact = suited.configuration
        other = None if exact is None else self.engines.faster(encoder, self.choice, exact)
        if other is None or other in {rejection.configuration for rejection in self.rejections}:
            return suited
        tell(Line(event="trying", configuration=other))
        try:
            faster = self._engine(encoder, other, observer)
            more = _expected(encoder, _samples(encoder))
            agreement = _agreement(encoder, faster, [*expected, *more])
        except Unsuitable as reason:
            if reason.passing:
                tell(_rejected(other, reason))
                return suited
            return suited.model_copy(update={"pace": f"{other} is not used ({reason})"})
        ratio = self.pace(_running(encoder, engine), _running(encoder, faster), _paced(encoder))
        encoder.use(None)
        measured = f"{other} is {ratio:.2f} times as fast as {exact} on this processor"
        if round(ratio, 2) < _MARGIN:
            return suited.model_copy(update={"pace": f"{measured}, and {_MARGIN} times would be needed"})
        return suited.model_copy(update={"configuration": other, "agreement": agreement, "pace": measured})

    def _configurations(self, encoder: Computed) -> Iterator[Configuration]:
        """Yield the configurations that have not been rejected; those with one stream only if several crashed."""
        rejected = {rejection.configuration for rejection in self.rejections}
        crashed = {rejection.configuration for rejection in self.rejections if rejection.crashed}
        for configuration in self.engines.configurations(encoder, self.choice):
            eligible = configuration.streams == "several" or configuration.model_copy(update=_SEVERAL) in crashed
            if eligible and configuration not in rejected:
                yield configuration

    def _engine(self, encoder: Computed, configuration: Configuration, observer: Observer) -> Engine:
        """The engine of that configuration, converted and compiled; raises Unsuitable if it cannot be made."""
        observer.step("trial.convert")
        self.engines.convert(encoder, configuration, self.texts)
        observer.step("trial.compile")
        engine = self.engines.make(encoder, configuration, ONE_PRIORITY)
        observer.step("trial.compare")
        return engine


def _rejected(configuration: Configuration, reason: Unsuitable) -> Line:
    rejection = Rejection(configuration=configuration, reason=str(reason), passing=reason.passing)
    return Line(event="rejected", rejection=rejection)


# Batches, each with torch's vectors of it.
_Expected = Sequence[tuple[Sequence[Prepared], Vectors]]


def _expected(encoder: Computed, batches: Sequence[Sequence[Prepared]]) -> _Expected:
    return [(batch, encoder.forward(batch)) for batch in batches]


def _agreement(encoder: Computed, engine: Engine, expected: _Expected) -> float:
    """The least agreement of the engine's vectors with torch's; raises Unsuitable if it is too low."""
    encoder.use(engine)
    try:
        agreement = min(
            encoder.agreement(encoder.forward(batch, cores), vectors) for batch, vectors in expected for cores in CORES
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


def _samples(encoder: Computed) -> list[list[Prepared]]:
    """Questions and passages of the sample corpus, each a batch."""
    questions, passages = _sample_texts()
    return [encoder.prepare([text], "query") for text in questions] + [
        encoder.prepare([text], "document") for text in passages
    ]


def _paced(encoder: Computed) -> list[list[Prepared]]:
    """Batches as they come under load: a question, questions together, and a passage."""
    questions, passages = _sample_texts()
    return [
        encoder.prepare(questions[:1], "query"),
        encoder.prepare(questions[:_TOGETHER], "query"),
        encoder.prepare(passages[:1], "document"),
    ]


def _sample_texts() -> tuple[list[str], list[str]]:
    texts = sample.load()
    return list(texts["queries"].values())[:_QUESTIONS], list(texts["corpus"].values())[:_PASSAGES]


def _running(encoder: Computed, engine: Engine) -> Callable[[Sequence[Prepared]], object]:
    def run(batch: Sequence[Prepared]) -> object:
        encoder.use(engine)
        return encoder.forward(batch, "single")

    return run
