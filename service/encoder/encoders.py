"""From a checkpoint to an encoder on the engine that suits the machine.

Another engine than torch is used only if it gives torch's vectors, which is measured at each load.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch

from service import resources
from service.checkpoint import Checkpoint
from service.encoder import packing, probe
from service.encoder.encoder import Encoder, Side
from service.encoder.engine import SHARES, Engine, Padded, Unsuitable
from service.encoder.int8 import DYNAMIC, Int8, compressed, quantised
from service.encoder.openvino_engine import Conversions, OpenVino, Rows, convert
from service.encoder.priority import Runs, at_once, mostly_at_lowest_priority
from service.encoder.torch_engine import TorchBf16
from service.settings import EngineChoice

log = logging.getLogger(__name__)

# How a batch is laid out: its texts after each other, or each in a row that is padded.
Form = Literal["sequences", "rows"]
Precision = Literal["float", "int8"]
_SIDES: tuple[Side, ...] = ("query", "document")
# Short and long, alone and padded: a trace that fits one shape only must be seen.
_LONG = " ".join(probe.TEXTS * 3)
_BATCHES = (probe.TEXTS, ("No",), (_LONG,), ("No", _LONG, probe.TEXTS[0]))
# Documents that int8 is calibrated on, and how many there must be.
_CALIBRATED, _LEAST_CALIBRATED = 300, 100
# Of every so many of them the beginning, which is as short as a question.
_BEGINNING, _BEGINNINGS = 48, 3


class Encoders:
    """Loads checkpoints. Converted models are kept in `folder`; `sample` gives texts of so many documents."""

    def __init__(
        self, choice: EngineChoice, folder: Path, processors: int, sample: Callable[[int], Sequence[str]]
    ) -> None:
        self._choice = choice
        self._processors = processors
        self._sample = sample
        self._conversions = Conversions(folder)

    def loading(self, checkpoint: Checkpoint) -> int:
        """Bytes of memory that loading it takes."""
        return resources.loading(checkpoint.size, self._choice)

    def load(self, checkpoint: Checkpoint) -> Encoder:
        """The encoder of `checkpoint`; raises CheckpointRefused if it cannot be loaded."""
        encoder = Encoder(checkpoint)
        self._choose(encoder, at_once)
        return encoder

    def load_beside(self, checkpoint: Checkpoint) -> Encoder:
        """The same, beside an encoder that answers queries: what takes long is done at the lowest priority.

        Not the first in a process, because threads that all share would get that priority, too.
        """
        encoder = Encoder(checkpoint)
        mostly_at_lowest_priority(partial(self._choose, encoder))
        return encoder

    def forget(self, keep: set[str]) -> None:
        """Delete what is kept of all checkpoints but those with the ids in `keep`."""
        self._conversions.forget(keep)

    def _choose(self, encoder: Encoder, at_own_priority: Runs) -> None:
        """Put it on the first engine that suits; torch in fp32 comes last and always can."""
        for precision, form in self._tried(encoder):
            try:
                _accelerate(encoder, self._engine(encoder, precision, form, at_own_priority))
                return
            except Unsuitable as reason:
                instead = "without int8" if precision == "int8" else "in rows" if form == "sequences" else "by torch"
                log.warning("%s is computed %s: %s", encoder.checkpoint.id, instead, reason.message)

    def _tried(self, encoder: Encoder) -> Sequence[tuple[Precision, Form]]:
        if self._choice == "torch":
            return []
        in_sequences = encoder.device.type == "cpu" and packing.fits(encoder)
        forms: list[Form] = ["sequences", "rows"] if in_sequences else ["rows"]
        exact: list[tuple[Precision, Form]] = [("float", form) for form in forms]
        return [("int8", forms[0]), *exact] if self._choice == "int8" else exact

    def _engine(self, encoder: Encoder, precision: Precision, form: Form, at_own_priority: Runs) -> Engine:
        modules = encoder.convertible()
        if encoder.device.type == "cpu":
            return self._on_cpu(encoder, modules, precision, form, at_own_priority)
        if precision == "int8":
            raise Unsuitable("int8 is for CPUs")
        if encoder.device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
            example = encoder.padded(encoder.prepare(probe.TEXTS, "document"))
            try:
                return TorchBf16(modules, encoder.device, example, encoder.max_length)
            except torch.OutOfMemoryError as error:
                raise Unsuitable(f"the GPU has no room for it in bf16 ({error})") from error
        raise Unsuitable(f"there is no other engine for {encoder.device.type}")

    def _on_cpu(
        self,
        encoder: Encoder,
        modules: Sequence[torch.nn.Module],
        precision: Precision,
        form: Form,
        at_own_priority: Runs,
    ) -> Engine:
        laid_out = packing.packed if form == "sequences" else Padded.tensors

        def converted() -> Any:
            example = laid_out(encoder.padded(encoder.prepare(probe.TEXTS, "document")))
            return (
                convert(packing.Sequences(modules), example, 1)
                if form == "sequences"
                else convert(Rows(modules), example)
            )

        def engine(model: Any, options: Mapping[str, Any] | None = None) -> Engine:
            compiled = OpenVino(model, self._processors, at_own_priority, options)
            return packing.Packing(compiled, modules) if form == "sequences" else compiled

        def kept(name: str, make: Callable[[], Any]) -> Any:
            return self._conversions.get(encoder.checkpoint.id, f"{form}-{name}", make)

        model = kept("float", converted)
        if precision == "float":
            return engine(model)
        # First what may be impossible.
        long = kept("int8", lambda: quantised(model, [laid_out(batch) for batch in self._calibration(encoder)]))
        short = kept("int8-weights", lambda: compressed(model))
        return Int8(engine(short, DYNAMIC), engine(long))

    def _calibration(self, encoder: Encoder) -> list[Padded]:
        """Documents of the corpus, one in a batch, and beginnings of some of them as questions."""
        texts = self._sample(_CALIBRATED)
        if len(texts) < _LEAST_CALIBRATED:
            raise Unsuitable(
                f"there are {len(texts)} documents to calibrate it on, and {_LEAST_CALIBRATED} are needed: write some,"
                " then restart"
            )
        items = encoder.prepare(texts, "document")
        items += encoder.prepare([text[:_BEGINNING] for text in texts[::_BEGINNINGS]], "query")
        return [encoder.padded([item]) for item in items]


def _accelerate(encoder: Encoder, engine: Engine) -> None:
    """Put it on `engine`; raises Unsuitable, with the encoder as it was, if that would change its vectors."""
    manifest = encoder.checkpoint.manifest
    batches = [encoder.prepare(texts, side) for side in _SIDES for texts in _BATCHES]
    batches += [encoder.prepare([canary.text], canary.side) for canary in (manifest.canaries if manifest else ())]
    expected = [encoder.finish(encoder.forward(batch)) for batch in batches]
    encoder.use(engine)
    agreement = min(
        float((encoder.finish(encoder.forward(batch, share)) * vectors).sum(axis=1).min())
        for batch, vectors in zip(batches, expected, strict=True)
        for share in SHARES
    )
    if not agreement >= engine.least_cosine:
        encoder.use(None)
        raise Unsuitable(f"{engine.name} gives other vectors (cosine {agreement:.4f}, not {engine.least_cosine})")
    encoder.drop_weights()
    log.info("%s is computed by %s (least cosine to torch %.5f)", encoder.checkpoint.id, engine.name, agreement)
