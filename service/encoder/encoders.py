"""From a checkpoint to an encoder on the engine that suits the machine.

Another engine than torch is used only if it gives torch's vectors, which is measured at each load.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from service.checkpoint import Checkpoint
from service.encoder import probe
from service.encoder.encoder import Encoder, Side
from service.encoder.engine import SHARES, Engine, Padded, Unsuitable
from service.encoder.int8 import Int8, quantised
from service.encoder.openvino_engine import Conversions, OpenVino, convert
from service.encoder.priority import Runs, at_once, mostly_at_lowest_priority
from service.encoder.torch_engine import TorchBf16
from service.settings import EngineChoice

log = logging.getLogger(__name__)

Precision = Literal["float", "int8"]
# To be tried one after the other; torch in fp32 comes last and always can.
_TRIED: dict[EngineChoice, tuple[Precision, ...]] = {"torch": (), "auto": ("float",), "int8": ("int8", "float")}
_INSTEAD: dict[Precision, str] = {"int8": "without int8", "float": "by torch"}
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
        """Put it on the first engine that suits."""
        for precision in _TRIED[self._choice]:
            try:
                _accelerate(encoder, self._engine(encoder, precision, at_own_priority))
                break
            except Unsuitable as reason:
                log.warning("%s is computed %s: %s", encoder.checkpoint.id, _INSTEAD[precision], reason.message)

    def _engine(self, encoder: Encoder, precision: Precision, at_own_priority: Runs) -> Engine:
        modules = encoder.convertible()
        if encoder.device.type == "cpu":
            identity, example = encoder.checkpoint.id, encoder.padded(encoder.prepare(probe.TEXTS, "document"))
            model = self._conversions.get(identity, "float", partial(convert, modules, example))
            exact = OpenVino(model, self._processors, at_own_priority)
            if precision == "float":
                return exact
            smaller = self._conversions.get(identity, "int8", lambda: quantised(model, self._calibration(encoder)))
            return Int8(exact, OpenVino(smaller, self._processors, at_own_priority))
        if precision == "int8":
            raise Unsuitable("int8 is for CPUs")
        if encoder.device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
            return TorchBf16(modules, encoder.device)
        raise Unsuitable(f"there is no other engine for {encoder.device.type}")

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
