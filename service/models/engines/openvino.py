"""OpenVINO: the engine for CPUs, several times as fast as torch there.

The torch modules of a checkpoint are traced and converted once. The converted model is kept on the disk, with
checksums, and compiled for each of `Cores`: `whole`, where all processors compute one batch together; `single`, where
each computes a separate batch; and `spare`, which is `single` on threads that inherit the lowest priority from the
thread that compiles.
"""

import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from service.machine.arrays import Vectors
from service.machine.cache import Cache
from service.machine.priority import Priorities
from service.models.base import Cores
from service.models.configuration import Streams
from service.models.engines import attention
from service.models.engines.base import ROUNDED_AGREEMENT, Padded, Unsuitable

# OpenVINO requires this package, which reports every import and conversion to its makers. Without it nothing is sent.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
import openvino  # noqa: E402
from openvino.frontend import (  # noqa: E402
    GeneralFailure,
    NotImplementedFailure,
    OpConversionFailure,
    OpValidationFailure,
)

# The first use of NumPy in OpenVINO's bindings takes two locks, and two threads that make it at the same time can wait
# for each other for ever: pybind11 holds a C++ guard while it waits for the interpreter, which the other thread has.
openvino.Type.f32.to_dtype()

# The operations with which a converted model is changed.
opset: Any = openvino.opset13

_MODEL = "model.xml"
# The errors of tracing and conversion at models that are not made for them.
_FAILURES = (
    GeneralFailure,
    NotImplementedFailure,
    OpConversionFailure,
    OpValidationFailure,
    RuntimeError,
    TypeError,
    ValueError,
    KeyError,
    AttributeError,
    IndexError,
)


class OpenVino:
    """One converted model, compiled for each of `Cores`."""

    min_agreement = ROUNDED_AGREEMENT
    packs = False

    def __init__(
        self,
        model: Any,
        processors: int,
        priorities: Priorities,
        options: Mapping[str, Any] | None = None,
        *,
        streams: Streams = "several",
    ) -> None:
        """Compile the model, with `options` for the plugin; raises Unsuitable if OpenVINO cannot.

        `priorities` start the threads that compute.
        """
        core = openvino.Core()
        bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.name = f"openvino {'bf16' if bf16 else 'fp32'}"
        whole = {
            "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
            **(options or {}),
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": processors,
            "ENABLE_CPU_PINNING": False,
        }
        single_streams = processors if streams == "several" else 1
        single = whole | {"NUM_STREAMS": single_streams}
        # Normal priority comes first: threads that all three share must not inherit the lowest.
        self._requests: dict[Cores, SimpleQueue[Any]] = {
            "whole": priorities.normal(partial(_compiled, core, model, whole, 1)),
            "single": priorities.normal(partial(_compiled, core, model, single, single_streams)),
            # Compiling starts the threads that compute, and they inherit the priority.
            "spare": priorities.lowest(partial(_compiled, core, model, single, single_streams)),
        }

    def part(self, tokens: int) -> int:  # noqa: ARG002
        """0: one model computes all texts."""
        return 0

    def pooled(self, batch: Padded, cores: Cores) -> Vectors:
        """Pooled vectors of the batch."""
        return self.infer(batch.tensors(), cores)

    def infer(self, tensors: Mapping[str, NDArray[np.int64]], cores: Cores) -> Vectors:
        """The model's output; waits while as many batches are under way as can be computed at a time."""
        requests = self._requests[cores]
        request = requests.get()
        try:
            outputs = request.infer(tensors, share_inputs=True)
            return np.asarray(outputs[0], dtype=np.float32)
        finally:
            requests.put(request)


class Conversions:
    """Converted models on the disk, by checkpoint id."""

    def __init__(self, folder: Path) -> None:
        self._cache = Cache(folder)

    def get(self, identity: str, variant: str, convert: Callable[[], Any] | None) -> Any:
        """The checkpoint's OpenVINO model of that variant, which `convert` makes unless it is on the disk.

        Raises Unsuitable if the model is not there and `convert` is None, or if the disk cannot store it.
        """
        version = {"openvino": openvino.get_version()}
        name = f"{identity}.{variant}"
        folder = self._cache.find(name, version)
        if folder is None and convert is not None:
            folder = self._cache.keep(name, version, partial(_save, convert()))
        if folder is None:
            raise Unsuitable("its conversion is not on the disk: restart the service to have it made", passing=True)
        return openvino.Core().read_model(folder / _MODEL)

    def forget(self, keep: set[str]) -> None:
        """Delete the models of all checkpoints but those with the ids in `keep`."""
        for name in self._cache.names():
            if name.rpartition(".")[0] not in keep:
                self._cache.forget(name)


class Rows(torch.nn.Module):
    """Modules as one function of a batch of rows, which can be traced."""

    def __init__(self, modules: Sequence[torch.nn.Module]) -> None:
        super().__init__()
        self.parts = torch.nn.ModuleList(modules)
        for module in self.parts.modules():
            if isinstance(module, PreTrainedModel):
                attention.make_convertible(module)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> torch.Tensor:
        features: dict[str, Any] = {"input_ids": input_ids, "attention_mask": attention_mask, "modality": "text"}
        if token_type_ids is not None:
            features["token_type_ids"] = token_type_ids
        for part in self.parts:
            features = part(features)
        vectors: torch.Tensor = features["sentence_embedding"]
        return vectors


def convert(module: torch.nn.Module, example: Mapping[str, NDArray[np.int64]], rows: int = -1) -> Any:
    """`module` as an OpenVINO model of tensors (rows, any); raises Unsuitable if it cannot be converted."""
    tensors = {name: torch.from_numpy(array) for name, array in example.items()}
    try:
        # Warnings that a trace may not hold for other shapes are ignored: a trial measures whether it does.
        with torch.inference_mode(), warnings.catch_warnings(action="ignore"), root_logger_kept():
            return openvino.convert_model(
                module.eval(),
                example_input=tensors,
                input=[(name, [rows, -1], openvino.Type.i64) for name in tensors],
            )
    except _FAILURES as error:
        raise Unsuitable(f"it does not convert to OpenVINO ({_first_line(error)})") from error


@contextmanager
def root_logger_kept() -> Iterator[None]:
    """Restore the root logger after a block that silences it: convert_model does when it fails, and so does NNCF."""
    root = logging.getLogger()
    level, filters, handlers = root.level, root.filters.copy(), root.handlers.copy()
    try:
        yield
    finally:
        root.setLevel(level)
        root.filters, root.handlers = filters, handlers


def _save(model: Any, folder: Path) -> None:
    openvino.serialize(model, folder / _MODEL)


def _compiled(core: Any, model: Any, options: dict[str, Any], streams: int) -> "SimpleQueue[Any]":
    """Requests to a compiled model, one for each batch that it computes at a time."""
    try:
        compiled = core.compile_model(model, "CPU", options)
        requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(streams):
            requests.put(compiled.create_infer_request())
    except RuntimeError as error:
        raise Unsuitable(f"OpenVINO does not compile it ({_first_line(error)})") from error
    return requests


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0][:200]}"
