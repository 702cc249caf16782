"""torch in bf16: the engine for NVIDIA GPUs that have bf16, in which they multiply many times as fast as in fp32."""

import logging
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch

from service.machine.arrays import Vectors
from service.models.base import Cores
from service.models.engines.base import ROUNDED_AGREEMENT, Padded
from service.models.engines.cuda_graphs import CudaGraphs

log = logging.getLogger(__name__)


class TorchBf16:
    """A copy of some modules, in bf16, on the device that they are on."""

    name = "torch bf16"
    min_agreement = ROUNDED_AGREEMENT
    packs = False

    def __init__(self, modules: Sequence[torch.nn.Module], device: torch.device, example: Padded, longest: int) -> None:
        """The modules take batches such as `example`, of texts of at most `longest` tokens."""
        self._modules = [deepcopy(module).to(torch.bfloat16) for module in modules]
        self._device = device
        # cuDNN plans its attention again for each shape of a batch, which takes longer than the batch.
        torch.backends.cuda.enable_cudnn_sdp(False)
        self._graphs = self._captured(list(example.tensors()), longest) if device.type == "cuda" else None

    def part(self, tokens: int) -> int:  # noqa: ARG002
        """0: one model computes all texts."""
        return 0

    def pooled(self, batch: Padded, cores: Cores) -> Vectors:
        """Pooled vectors of the batch. Small batches for callers that wait go through a graph."""
        if self._graphs is not None and cores != "spare" and self._graphs.fit(batch):
            return self._graphs.pooled(batch)
        tensors = {name: torch.from_numpy(array).to(self._device) for name, array in batch.tensors().items()}
        vectors: Vectors = self._compute(tensors).cpu().numpy()
        return vectors

    def _compute(self, tensors: dict[str, torch.Tensor]) -> torch.Tensor:
        features: dict[str, Any] = {**tensors, "modality": "text"}
        for module in self._modules:
            features = module(features)
        vectors: torch.Tensor = features["sentence_embedding"]
        return vectors.float()

    def _captured(self, names: list[str], longest: int) -> CudaGraphs | None:
        try:
            return CudaGraphs(self._compute, names, longest, self._device)
        except RuntimeError as error:
            log.warning("small batches take longer, because the model cannot be captured as a CUDA graph: %s", error)
            return None
