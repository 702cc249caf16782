"""From a checkpoint to an encoder on the engine that suits the machine.

Another engine than torch is used only if it gives torch's vectors, which is measured at each load.
"""

import logging
from pathlib import Path

import torch

from service.checkpoint import Checkpoint
from service.encoder import probe
from service.encoder.encoder import Encoder, Side
from service.encoder.engine import SHARES, Engine, Unsuitable
from service.encoder.openvino_engine import Conversions, OpenVino
from service.encoder.torch_engine import TorchBf16
from service.settings import EngineChoice

log = logging.getLogger(__name__)

# Least cosine to torch's vectors. What an engine changes within it is no other checkpoint.
_MIN_AGREEMENT = 0.999
_SIDES: tuple[Side, ...] = ("query", "document")
# Short and long, alone and padded: a trace that fits one shape only must be seen.
_LONG = " ".join(probe.TEXTS * 3)
_BATCHES = (probe.TEXTS, ("No",), (_LONG,), ("No", _LONG, probe.TEXTS[0]))


class Encoders:
    """Loads checkpoints. Converted models are kept in `folder`."""

    def __init__(self, choice: EngineChoice, folder: Path, processors: int) -> None:
        self._choice = choice
        self._processors = processors
        self._conversions = Conversions(folder)

    def load(self, checkpoint: Checkpoint) -> Encoder:
        """The encoder of `checkpoint`; raises CheckpointRefused if it cannot be loaded."""
        encoder = Encoder(checkpoint)
        if self._choice == "torch":
            return encoder
        try:
            self._accelerate(encoder)
        except Unsuitable as reason:
            log.warning("%s is computed by torch: %s", checkpoint.id, reason.message)
        return encoder

    def forget(self, keep: set[str]) -> None:
        """Delete what is kept of all checkpoints but those with the ids in `keep`."""
        self._conversions.forget(keep)

    def _accelerate(self, encoder: Encoder) -> None:
        """Put it on another engine; raises Unsuitable, with the encoder as it was, if that would change its vectors."""
        identity, modules = encoder.checkpoint.id, encoder.convertible()
        batches = [encoder.prepare(texts, side) for side in _SIDES for texts in _BATCHES]
        expected = [encoder.finish(encoder.forward(batch)) for batch in batches]
        engine: Engine
        if encoder.device.type == "cpu":
            engine = OpenVino(self._conversions.get(identity, modules, encoder.padded(batches[0])), self._processors)
        elif encoder.device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
            engine = TorchBf16(modules, encoder.device)
        else:
            raise Unsuitable(f"there is no other engine for {encoder.device.type}")
        encoder.use(engine)
        agreement = min(
            float((encoder.finish(encoder.forward(batch, share)) * vectors).sum(axis=1).min())
            for batch, vectors in zip(batches, expected, strict=True)
            for share in SHARES
        )
        if not agreement >= _MIN_AGREEMENT:
            encoder.use(None)
            raise Unsuitable(f"{engine.name} gives other vectors (cosine {agreement:.4f})")
        encoder.drop_weights()
        log.info("%s is computed by %s (least cosine to torch %.5f)", identity, engine.name, agreement)
