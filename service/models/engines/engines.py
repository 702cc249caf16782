"""The making of engines from a loaded checkpoint and a configuration."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from service.machine.priority import Priorities
from service.models import probe
from service.models.computed import Computed
from service.models.configuration import Configuration, on_processors
from service.models.engines import packing
from service.models.engines.base import Engine, Padded, Unsuitable
from service.models.engines.grouped import GROUPED, GroupedInt8, grouped
from service.models.engines.int8 import DYNAMIC, Int8, compressed, quantised
from service.models.engines.openvino import Conversions, OpenVino, Rows, convert
from service.models.engines.torch_bf16 import TorchBf16
from service.settings import EngineChoice

# How many documents int8 is calibrated on, at most and at least.
CALIBRATED, _LEAST_CALIBRATED = 300, 100
# The first 48 characters of every third document serve as a question.
_QUESTION_CHARACTERS, _QUESTION_EVERY = 48, 3


@dataclass(frozen=True)
class Engines:
    """Makes engines. Converted models are kept in `folder`; a compiled one computes on `processors`."""

    folder: Path
    processors: int

    def configurations(self, encoder: Computed, choice: EngineChoice) -> list[Configuration]:
        """Configurations to try, in order; after them comes torch in fp32, which can compute every checkpoint."""
        if choice == "torch":
            return []
        if encoder.device.type == "cpu":
            # int8 is calibrated on documents, and a reranker computes pairs of them with queries.
            int8 = choice == "int8" and encoder.checkpoint.kind == "dense"
            return on_processors(("sequences", "rows") if packing.fits(encoder) else ("rows",), int8=int8)
        if encoder.device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
            return [Configuration(engine="torch bf16")]
        return []

    def faster(self, encoder: Computed, choice: EngineChoice, suited: Configuration) -> Configuration | None:
        """The configuration that may be faster than `suited` and keep the agreement asked of it; None: there is none.

        Pairs of a reranker are left out, because the error of their logits has not been measured.
        """
        if choice != "auto" or suited.engine != "openvino" or encoder.checkpoint.kind != "dense":
            return None
        return suited.model_copy(update={"precision": "grouped"})

    def convert(self, encoder: Computed, configuration: Configuration, texts: Sequence[str]) -> None:
        """Convert the checkpoint and keep the conversions, which `make` reads; int8 is calibrated on `texts`.

        Raises Unsuitable if the checkpoint cannot be converted or the disk cannot keep it.
        """
        if configuration.engine == "openvino":
            modules = encoder.convertible()
            model = self._stored(encoder, configuration, "float", lambda: _converted(encoder, modules, configuration))
            if configuration.precision == "grouped":
                self._stored(encoder, configuration, "int8-groups", lambda: grouped(model))
            elif configuration.precision == "int8":
                # Quantising comes first, because it may be impossible.
                self._stored(
                    encoder,
                    configuration,
                    "int8",
                    lambda: quantised(model, _calibration(encoder, configuration, texts)),
                )
                self._stored(encoder, configuration, "int8-weights", lambda: compressed(model))

    def make(self, encoder: Computed, configuration: Configuration, priorities: Priorities) -> Engine:
        """The engine of `encoder`, from the conversions that `convert` kept; raises Unsuitable if it cannot be made."""
        modules = encoder.convertible()
        if configuration.engine == "torch bf16":
            example = encoder.padded(encoder.prepare(probe.TEXTS, "document"))
            try:
                return TorchBf16(modules, encoder.device, example, encoder.max_length)
            except torch.OutOfMemoryError as error:
                raise Unsuitable(f"the GPU has no room for it in bf16 ({error})", passing=True) from error

        def compiled(name: str, options: Mapping[str, Any] | None = None) -> Engine:
            model = self._stored(encoder, configuration, name, None)
            engine = OpenVino(model, self.processors, priorities, options, streams=configuration.streams)
            return packing.Packing(engine, modules) if configuration.form == "sequences" else engine

        if configuration.precision == "grouped":
            return GroupedInt8(compiled("float"), compiled("int8-groups", GROUPED))
        if configuration.precision == "int8":
            return Int8(compiled("int8-weights", DYNAMIC), compiled("int8"))
        return compiled("float")

    def forget(self, keep: set[str]) -> None:
        """Delete the conversions of all checkpoints but those with the ids in `keep`."""
        Conversions(self.folder).forget(keep)

    def _stored(
        self, encoder: Computed, configuration: Configuration, name: str, make: Callable[[], Any] | None
    ) -> Any:
        return Conversions(self.folder).get(encoder.checkpoint.id, f"{configuration.form}-{name}", make)


def _laid_out(batch: Padded, configuration: Configuration) -> Mapping[str, Any]:
    return packing.packed(batch) if configuration.form == "sequences" else batch.tensors()


def _converted(encoder: Computed, modules: Sequence[torch.nn.Module], configuration: Configuration) -> Any:
    example = _laid_out(encoder.padded(encoder.prepare(probe.TEXTS, "document")), configuration)
    if configuration.form == "sequences":
        return convert(packing.Sequences(modules), example, 1)
    return convert(Rows(modules), example)


def _calibration(encoder: Computed, configuration: Configuration, texts: Sequence[str]) -> list[Mapping[str, Any]]:
    """Documents of the corpus, one in a batch, and the beginnings of some of them as questions."""
    if len(texts) < _LEAST_CALIBRATED:
        raise Unsuitable(
            f"there are {len(texts)} documents to calibrate it on, and {_LEAST_CALIBRATED} are needed: write some,"
            " then restart",
            passing=True,
        )
    items = encoder.prepare(texts, "document")
    items += encoder.prepare([text[:_QUESTION_CHARACTERS] for text in texts[::_QUESTION_EVERY]], "query")
    return [_laid_out(encoder.padded([item]), configuration) for item in items]
