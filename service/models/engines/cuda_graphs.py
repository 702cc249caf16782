"""CUDA graphs: a small batch in one launch.

A GPU computes a few questions in less time than the interpreter takes to launch some hundred kernels for them, one
after the other. A graph (CUDA Programming Guide, "CUDA Graphs") launches them all at once. It is of one shape and of
tensors at one place, so a batch is filled up to one of some shapes, and its graph is captured when a batch first needs
it.
"""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from service.machine.arrays import Vectors
from service.models.engines.base import Padded

Compute = Callable[[dict[str, torch.Tensor]], torch.Tensor]
# Larger batches keep a GPU busy for about as long as their launches take.
_MOST_TOKENS = 8192
# A width is a multiple of so many tokens, or of a quarter of the power of two below it, if that is more.
_ROUND = 16
# What a library does at its first call only must not become part of a graph.
_WARM_UP = 2


def shape(rows: int, width: int, longest: int) -> tuple[int, int]:
    """Rows and width of the graph for such a batch, at least as large; no text is longer than `longest` tokens."""
    multiple = max(_ROUND, 1 << (width - 1).bit_length() - 3 if width > _ROUND else 0)
    return 1 << (rows - 1).bit_length(), max(width, min(longest, -(-width // multiple) * multiple))


def filled(batch: Padded, rows: int, width: int) -> NDArray[np.int64]:
    """The arrays of a batch in that order, (2 or 3, rows, width): what is added is masked, but for a token of each row,
    because attention to nothing is not a number."""
    arrays = list(batch.tensors().values())
    found = np.zeros((len(arrays), rows, width), dtype=np.int64)
    found[1, :, 0] = 1
    for place, array in enumerate(arrays):
        found[place, : array.shape[0], : array.shape[1]] = array
    return found


class CudaGraphs:
    """The graphs of one model, which are launched one at a time. Safe to use from many threads."""

    def __init__(self, compute: Compute, names: list[str], longest: int, device: torch.device) -> None:
        """`compute` makes vectors (rows, width) of tensors with the `names`; raises RuntimeError if that cannot be
        captured."""
        self._compute = compute
        self._names = names
        self._longest = longest
        self._device = device
        # Before whatever fills the GPU: a query does not wait for a batch of documents.
        self._stream: Any = torch.cuda.Stream(device, priority=-1)  # type: ignore[no-untyped-call]
        self._pool: Any = torch.cuda.graph_pool_handle()
        self._captured: dict[tuple[int, int], tuple[torch.cuda.CUDAGraph, torch.Tensor, torch.Tensor]] = {}
        self._lock = threading.Lock()
        self._graph((1, min(_ROUND, longest)))

    def fit(self, batch: Padded) -> bool:
        """Whether the batch is small enough."""
        rows, width = self._shape(batch)
        return rows * width <= _MOST_TOKENS

    def pooled(self, batch: Padded) -> Vectors:
        """What `compute` makes of the batch."""
        chosen = self._shape(batch)
        given = torch.from_numpy(filled(batch, *chosen))
        with self._lock, torch.inference_mode(), torch.cuda.stream(self._stream):
            graph, tensors, vectors = self._graph(chosen)
            tensors.copy_(given)
            graph.replay()
            found: Vectors = vectors[: len(batch.mask)].cpu().numpy()
        return found

    def _shape(self, batch: Padded) -> tuple[int, int]:
        rows, width = batch.mask.shape
        return shape(rows, width, self._longest)

    def _graph(self, chosen: tuple[int, int]) -> tuple[torch.cuda.CUDAGraph, torch.Tensor, torch.Tensor]:
        """The graph of that shape, what it reads and what it writes."""
        if chosen not in self._captured:
            with torch.inference_mode(), torch.cuda.stream(self._stream):
                tensors = torch.zeros((len(self._names), *chosen), dtype=torch.int64, device=self._device)
                tensors[1] = 1
                features = dict(zip(self._names, tensors, strict=True))
                for _ in range(_WARM_UP):
                    self._compute(dict(features))
                graph = torch.cuda.CUDAGraph()
                # Other threads go on meanwhile.
                graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
                try:
                    vectors = self._compute(dict(features))
                finally:
                    graph.capture_end()
            self._captured[chosen] = graph, tensors, vectors
        return self._captured[chosen]
