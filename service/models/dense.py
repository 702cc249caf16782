"""A loaded checkpoint that turns texts into vectors.

The vectors equal those of `SentenceTransformer.encode_query`, `encode_document` and `encode` (sentence-transformers 6):
same prompts, same routes, same truncation. An engine may compute all modules before the routes.
"""

from collections.abc import Sequence

import numpy as np
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Pooling

from service.checkpoints.checkpoint import Checkpoint
from service.errors import CheckpointRefused, InvalidRequest
from service.machine.arrays import Vectors
from service.models import torch_model
from service.models.base import Prepared
from service.models.computed import Computed


class DenseEncoder(Computed):
    """One checkpoint in memory. Safe to use from many threads."""

    def __init__(self, checkpoint: Checkpoint, processors: int = 1) -> None:
        """Load the checkpoint; raises CheckpointRefused if sentence-transformers cannot.

        torch computes a batch on `processors` threads if the batch has whole cores, else on one.
        """
        super().__init__(checkpoint.require_kind("dense"), torch_model.load, processors)
        native = self._model.get_embedding_dimension()
        if not native:
            raise CheckpointRefused(f"{checkpoint.name} does not say how many dimensions it has: add a Pooling module")
        self.dimensions = min(native, self._model.truncate_dim or native)

    @property
    def pooling(self) -> str:
        """How the vectors of tokens become one, as sentence-transformers names it."""
        return next((str(module.pooling_mode) for module in self._modules if isinstance(module, Pooling)), "none")

    def token_vectors(self, texts: Sequence[str], prompt: str) -> list[Vectors]:
        """The vectors (tokens, width) of each text's tokens before they are pooled. torch computes them, unscheduled.

        The first call loads the weights once more where another engine has replaced them. Raises InvalidRequest for a
        model that has no such vectors.
        """
        if not isinstance(self._entry(None), Transformer):
            raise InvalidRequest(f"{self.checkpoint.id} has no vectors of tokens before they are pooled: use /embed")
        with self._reload_lock:
            tensors = self._weights().encode(list(texts), prompt=prompt or None, output_value="token_embeddings")
        return [tensor.float().cpu().numpy() for tensor in tensors]

    def finish(self, raw: Vectors, dimensions: int | None = None, *, normalize: bool = True) -> Vectors:
        """Cut raw vectors to `dimensions` (default: the checkpoint's) and scale them to unit length.

        They are cut first, as Matryoshka representation learning (Kusupati et al. 2022) wants it.
        """
        cut = np.array(raw[:, : dimensions or self.dimensions], dtype=np.float32, order="C")
        if normalize:
            cut /= np.maximum(np.linalg.norm(cut, axis=1, keepdims=True), 1e-12)
        return cut

    def canaries(self) -> list[list[Prepared]]:
        """The canaries of its manifest, each a batch."""
        manifest = self.checkpoint.manifest
        return [self.prepare([canary.text], canary.side) for canary in (manifest.canaries if manifest else ())]

    def agreement(self, raw: Vectors, expected: Vectors) -> float:
        """The least cosine between raw vectors (n, native dimensions) and those expected."""
        return float(np.einsum("nd,nd->n", self.finish(raw), self.finish(expected)).min())
