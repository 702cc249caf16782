"""A checkpoint in torch, as sentence-transformers loads and computes it."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.base.modules import Normalize, Transformer
from transformers.utils import logging as transformers_logging

from service.checkpoints.checkpoint import Checkpoint
from service.errors import CheckpointRefused
from service.machine.arrays import Vectors
from service.models.base import Side
from service.models.scheduling.device import Device, device_for

_Model = TypeVar("_Model", SentenceTransformer, CrossEncoder)
# While it loads a model, transformers 5 replaces methods of its classes and functions of torch by others, which do
# nothing, and puts back what it has met. Of two at once, the second one may meet what the first one has put there.
_ONE_AT_A_TIME = threading.Lock()
# The errors of sentence-transformers and transformers at files that do not fit together.
_LOAD_ERRORS = (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError, SafetensorError)


def load(checkpoint: Checkpoint) -> SentenceTransformer:
    """Load the model, without a last module that scales to unit length; raises CheckpointRefused.

    `checkpoint.read` refuses pickled weights and custom code already; the arguments here are the second wall.
    Half-precision weights are loaded in fp32, which is exact, and faster on processors.
    """
    model = _opened(checkpoint, SentenceTransformer)
    # Vectors are scaled to unit length in `finish`, so that a caller can have them unscaled.
    if isinstance(model[-1], Normalize):
        del model[len(model) - 1]
    return model.float().eval()


def load_reranker(checkpoint: Checkpoint) -> SentenceTransformer:
    """Load a cross-encoder as a model whose vector of a pair is its logit alone; raises as `load`."""
    model = _opened(checkpoint, CrossEncoder)
    network = model[0]
    if not isinstance(network, Transformer) or network.transformer_task != "sequence-classification":
        raise CheckpointRefused(
            f"{checkpoint.name} does not score pairs by a classifier: use a cross-encoder that has one"
        )
    return SentenceTransformer(modules=[network, Logit()], device=str(model.device)).float().eval()


class Logit(torch.nn.Module):
    """The logit of a pair where other models have the vector of a text."""

    def forward(self, features: dict[str, Any]) -> dict[str, Any]:
        return {**features, "sentence_embedding": features["scores"]}


def _opened(checkpoint: Checkpoint, kind: Callable[..., _Model]) -> _Model:
    try:
        before = _files(checkpoint.folder)
        with _ONE_AT_A_TIME:
            model = kind(
                str(checkpoint.folder),
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True, "dtype": torch.float32},
            )
        if _files(checkpoint.folder) != before:
            raise OSError("its files have changed meanwhile: load it again")
        return model
    except _LOAD_ERRORS as error:
        reason = str(error).strip().replace(str(checkpoint.folder), checkpoint.name).splitlines()
        raise CheckpointRefused(
            f"{checkpoint.name} cannot be loaded ({type(error).__name__}: {reason[0] if reason else ''}): check"
            " that sentence-transformers loads it with the library versions of this service"
        ) from error


def _files(folder: Path) -> list[tuple[Path, int]]:
    """The files of a checkpoint, and their sizes. transformers makes do without some, and then gives other vectors."""
    return sorted((path, path.stat().st_size) for path in folder.rglob("*") if path.is_file())


def compute(model: SentenceTransformer, features: dict[str, Any], side: Side | None) -> Vectors:
    """Raw vectors (n, native dimensions) of the features of one batch."""
    on_device = {
        key: value.to(model.device) if isinstance(value, torch.Tensor) else value for key, value in features.items()
    }
    vectors: Vectors = model(on_device, task=side)["sentence_embedding"].float().cpu().numpy()
    return vectors


def device_here() -> Device:
    """The kind of device that computes checkpoints on this machine."""
    return device_for(on_gpu=torch.cuda.is_available())


def hide_progress() -> None:
    """Keep transformers from drawing progress bars while it loads checkpoints: they break the lines of a log."""
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
