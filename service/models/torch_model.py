"""A checkpoint in torch, as sentence-transformers loads and computes it."""

from typing import Any

import torch
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize
from transformers.utils import logging as transformers_logging

from service.checkpoints.checkpoint import Checkpoint
from service.errors import CheckpointRefused
from service.machine.arrays import Vectors
from service.models.base import Side
from service.models.scheduling import device
from service.models.scheduling.device import Device

# What sentence-transformers and transformers raise at files that do not fit together.
_LOAD_ERRORS = (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError, SafetensorError)


def load(checkpoint: Checkpoint) -> SentenceTransformer:
    """The model without a last module that scales to unit length; raises CheckpointRefused if it cannot be loaded.

    Pickled weights and custom code are refused by `checkpoint.read` already; these arguments are the second wall.
    Half-precision weights are loaded in fp32, which is exact, and on processors the faster.
    """
    try:
        model = SentenceTransformer(
            str(checkpoint.folder),
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True, "dtype": torch.float32},
        )
    except _LOAD_ERRORS as error:
        reason = str(error).strip().replace(str(checkpoint.folder), checkpoint.name).splitlines()
        raise CheckpointRefused(
            f"{checkpoint.name} cannot be loaded ({type(error).__name__}: {reason[0] if reason else ''}): check"
            " that SentenceTransformer loads it with the library versions of this service"
        ) from error
    # Vectors are normalised in `finish`, so that a caller can have them without.
    if isinstance(model[-1], Normalize):
        del model[len(model) - 1]
    return model.float().eval()


def compute(model: SentenceTransformer, features: dict[str, Any], side: Side | None) -> Vectors:
    """Raw vectors (n, native dimensions) of the features of one batch."""
    here = {
        key: value.to(model.device) if isinstance(value, torch.Tensor) else value for key, value in features.items()
    }
    vectors: Vectors = model(here, task=side)["sentence_embedding"].float().cpu().numpy()
    return vectors


def device_here() -> Device:
    """The kind of what computes checkpoints on this machine."""
    return device.kind(on_gpu=torch.cuda.is_available())


def hide_progress() -> None:
    """Have transformers draw no bars while checkpoints are loaded: they break the lines of a log."""
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
