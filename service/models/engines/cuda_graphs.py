"""CUDA graphs: a small batch in one launch.

A GPU computes a few questions in less time than the interpreter takes to launch some hundred kernels for them, one
after the other. A graph (CUDA Programming Guide, "CUDA Graphs") launches them all at once. It has one shape, and its
tensors stay at one address. So a batch is filled up to one of a few shapes, whose graph is captured when a batch first
needs it.
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
_MAX_TOKENS = 8192
# A width is a multiple of this many tokens, or of a quarter of the power of two below it, whichever is more.
_ROUND = 16
# Calls before the capture: work that a library does at its first call alone must not become part of a graph.
_WARM_UP = 2


def graph_shape(rows: int, width: int, longest: int) -> tuple[int, int]:
    """Rows and width of the graph for such a batch, at least as large; no text is longer than `longest` tokens."""
    multiple = max(_ROUND, 1 << (width - 1).bit_length() - 3 if width > _ROUND else 0)
    return 1 << (rows - 1).bit_length(), max(width, min(longest, -(-width // multiple) * multiple))


def filled(batch: Padded, rows: int, width: int) -> NDArray[np.int64]:
    """The arrays of a batch (2 or 3, rows, width), in the order of `Padded.tensors`, filled up to that shape.

    The filling is masked, except for one token of each row: attention to nothing would give NaN.
    """
    arrays = list(batch.tensors().values())
    stacked = np.zeros((len(arrays), rows, width), dtype=np.int64)
    stacked[1, :, 0] = 1
    for index, array in enumerate(arrays):
        stacked[index, : array.shape[0], : array.shape[1]] = array
    return stacked


class CudaGraphs:
    """The graphs of one model, which are launched one at a time. Safe to use from many threads."""

    def __init__(self, compute: Compute, names: list[str], longest: int, device: torch.device) -> None:
        """`compute` turns tensors with those `names` into vectors (rows, width).

        Raises RuntimeError if `compute` cannot be captured.
        """
        self._compute = compute
        self._names = names
        self._longest = longest
        self._device = device
        # The stream has a higher priority than the default one, so that a query waits for no batch of documents.
        self._stream: Any = torch.cuda.Stream(device, priority=-1)  # type: ignore[no-untyped-call]
        self._pool: Any = torch.cuda.graph_pool_handle()
        self._captured: dict[tuple[int, int], tuple[torch.cuda.CUDAGraph, torch.Tensor, torch.Tensor]] = {}
        self._lock = threading.Lock()
        self._graph((1, min(_ROUND, longest)))

    def fit(self, batch: Padded) -> bool:
        """Whether the batch is small enough to be computed by a graph."""
        rows, width = self._shape(batch)
        return rows * width <= _MAX_TOKENS

    def pooled(self, batch: Padded) -> Vectors:
        """The vectors (n, width) that `compute` gives for the batch."""
        shape = self._shape(batch)
        filled_batch = torch.from_numpy(filled(batch, *shape))
        with self._lock, torch.inference_mode(), torch.cuda.stream(self._stream):
            graph, tensors, vectors = self._graph(shape)
            tensors.copy_(filled_batch)
            graph.replay()
            pooled: Vectors = vectors[: len(batch.mask)].cpu().numpy()
        return pooled

    def _shape(self, batch: Padded) -> tuple[int, int]:
        rows, width = batch.mask.shape
        return graph_shape(rows, width, self._longest)

    def _graph(self, shape: tuple[int, int]) -> tuple[torch.cuda.CUDAGraph, torch.Tensor, torch.Tensor]:
        """The graph of that shape, the tensors that it reads and the vectors that it writes."""
        if shape not in self._captured:
            with torch.inference_mode(), torch.cuda.stream(self._stream):
                tensors = torch.zeros((len(self._names), *shape), dtype=torch.int64, device=self._device)
                tensors[1] = 1
                features = dict(zip(self._names, tensors, strict=True))
                for _ in range(_WARM_UP):
                    self._compute(dict(features))
                graph = torch.cuda.CUDAGraph()
                # Thread-local, so that other threads may use the GPU during the capture.
                graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
                try:
                    vectors = self._compute(dict(features))
                finally:
                    graph.capture_end()
            self._captured[shape] = graph, tensors, vectors
        return self._captured[shape]
