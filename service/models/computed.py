"""A loaded checkpoint and what computes it: torch, or an engine in place of the modules that every text passes."""

import logging
import threading
from abc import abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Router

from service.checkpoints.checkpoint import Checkpoint
from service.machine.arrays import Vectors
from service.models import torch_model
from service.models.base import Cores, Prepared, Side
from service.models.engines.base import Engine, Unsuitable
from service.models.errors import not_finite
from service.models.scheduling.device import device_for
from service.models.tokenized import Tokenized

log = logging.getLogger(__name__)


class Computed(Tokenized):
    """One checkpoint in memory. Safe to use from many threads."""

    def __init__(
        self, checkpoint: Checkpoint, load: Callable[[Checkpoint], SentenceTransformer], processors: int
    ) -> None:
        """`load` the checkpoint; raises CheckpointRefused if it cannot.

        torch computes a batch on `processors` threads if the batch has whole cores, else on one.
        """
        model = load(checkpoint)
        super().__init__(checkpoint, model)
        self._load = load
        self._processors = processors
        routers = (index for index, module in enumerate(self._modules) if isinstance(module, Router))
        # The number of modules that every text passes, before the routes of queries and documents part.
        self._shared = next(routers, len(self._modules))
        self._device = model.device
        self._engine: Engine | None = None
        # The model in torch, loaded once more where an engine has replaced its modules.
        self._reloaded: SentenceTransformer | None = None
        self._reload_lock = threading.RLock()
        self._replaced = False
        # Why this engine computes it, as the end of a sentence.
        self.engine_reason = ""
        # Sentences for the caller of a reload and the operator of the service.
        self.warnings: list[str] = list(checkpoint.warnings)

    @property
    def on_gpu(self) -> bool:
        """Whether a GPU computes it."""
        return self._device.type == "cuda"

    @property
    def device(self) -> torch.device:
        """The device on which torch computes."""
        return self._device

    @property
    def modules(self) -> Sequence[torch.nn.Module]:
        """The modules of sentence-transformers, without a last one that scales to unit length."""
        return self._modules

    def forward(self, batch: Sequence[Prepared], cores: Cores = "whole") -> Vectors:
        """Raw vectors (n, native dimensions) of one batch of one side and prompt, not scaled to unit length.

        Raises EncodingFailed if a vector is not finite.
        """
        side, prompt = batch[0].side_and_prompt
        # torch keeps this number for each thread.
        torch.set_num_threads(self._processors if cores == "whole" else 1)
        with torch.inference_mode():
            vectors = self._by_engine(batch, side, cores)
            if vectors is None:
                vectors = torch_model.compute(self._weights(), self._features(batch, side, prompt), side)
        if not np.isfinite(vectors).all():
            raise not_finite(self.checkpoint.id)
        return vectors

    def _by_engine(self, batch: Sequence[Prepared], side: Side | None, cores: Cores) -> Vectors | None:
        """Vectors by the engine; None where torch must compute: without an engine, or where one has failed."""
        if self._engine is None:
            return None
        try:
            pooled = self._engine.pooled(self.padded(batch), cores)
        except RuntimeError as error:
            if not self._replaced:
                raise
            log.warning(
                "%s failed on a batch of %s; torch computes it instead: %s", self.engine, self.checkpoint.id, error
            )
            return None
        if self._replaced and not np.isfinite(pooled).all():
            # A lower precision may overflow where fp32 does not.
            log.warning("%s of %s gave NaN or infinity; torch computes the batch", self.engine, self.checkpoint.id)
            return None
        remaining = self._modules[self._shared :]
        if not remaining:
            return pooled
        output = {"sentence_embedding": torch.from_numpy(pooled).to(self._device)}
        for module in remaining:
            output = module(output, task=side) if isinstance(module, Router) else module(output)
        vectors: Vectors = output["sentence_embedding"].float().cpu().numpy()
        return vectors

    def _weights(self) -> SentenceTransformer:
        """The whole model in torch. The first call loads it once more where an engine has replaced it."""
        if not self._replaced:
            return self._model
        with self._reload_lock:
            if self._reloaded is None:
                self._reloaded = self._load(self.checkpoint)
            return self._reloaded

    @abstractmethod
    def canaries(self) -> list[list[Prepared]]:
        """The canaries of its manifest, each a batch."""

    @abstractmethod
    def agreement(self, raw: Vectors, expected: Vectors) -> float:
        """How near raw vectors (n, native dimensions) are to those expected: 1 if they are equal, as a cosine is."""

    def convertible(self) -> Sequence[torch.nn.Module]:
        """The modules that every text passes, up to its pooled vector; raises Unsuitable if no engine can take them."""
        if self._shared == 0:
            raise Unsuitable("queries and documents differ from the first module on")
        if any(getattr(module, "include_prompt", True) is False for module in self._modules):
            raise Unsuitable("its pooling leaves the prompt out")
        return self._modules[: self._shared]

    def use(self, engine: Engine | None) -> None:
        """Let `engine` compute the convertible modules; None leaves them to torch."""
        self._engine = engine

    def rely_on(self, engine: Engine) -> None:
        """Let `engine` replace the convertible modules, whose weights are freed.

        torch computes a batch on which the engine fails or gives NaN or infinity, and loads the weights again for that.
        """
        self._engine = engine
        self._replaced = True
        for module in self._modules[: self._shared]:
            module.to("meta")

    @property
    def packs(self) -> bool:
        """Whether texts of all lengths share a batch at no cost, because none is padded to the longest."""
        return self._engine is not None and self._engine.packs

    @property
    def yields(self) -> bool:
        """Whether a spare batch leaves cores to others by itself, on threads of its engine or on a GPU.

        Otherwise it is computed on the calling thread, which must be of idle priority.
        """
        return self._engine is not None or self.on_gpu

    @property
    def overhead(self) -> int:
        """The fixed cost of a batch, as the number of tokens that take as long to compute."""
        return device_for(on_gpu=self.on_gpu).overhead

    def part(self, item: Prepared) -> int:
        """The sub-model of the engine that computes this text. Batching texts of different parts gains nothing."""
        return 0 if self._engine is None else self._engine.part(item.tokens)

    @property
    def min_agreement(self) -> float:
        """The least cosine between its vectors and torch's that its engine was held to."""
        return 1.0 if self._engine is None else self._engine.min_agreement

    @property
    def engine(self) -> str:
        """The name of the engine, with its precision."""
        return "torch fp32" if self._engine is None else self._engine.name
