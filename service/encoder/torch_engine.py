"""torch in bf16: the engine for NVIDIA GPUs that have it, which multiply in it many times as fast as in fp32."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch

from service.encoder.engine import ROUNDED, Padded, Share, Vectors


class TorchBf16:
    """A copy of some modules, in bf16, on the device that they are on."""

    name = "torch bf16"
    least_cosine = ROUNDED
    packs = False

    def __init__(self, modules: Sequence[torch.nn.Module], device: torch.device) -> None:
        self._modules = [deepcopy(module).to(torch.bfloat16) for module in modules]
        self._device = device

    def part(self, tokens: int) -> int:  # noqa: ARG002
        """There is one."""
        return 0

    def pooled(self, batch: Padded, share: Share) -> Vectors:  # noqa: ARG002
        """Pooled vectors of the batch; a GPU has no shares, and computes batches as they come."""
        features: dict[str, Any] = {
            name: torch.from_numpy(array).to(self._device) for name, array in batch.tensors().items()
        }
        features["modality"] = "text"
        for module in self._modules:
            features = module(features)
        vectors: Vectors = features["sentence_embedding"].float().cpu().numpy()
        return vectors
