"""The file that a training leaves: the tuned weights, and nDCG@10 on dev that they were chosen by."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from service.machine import files

_NDCG = "ndcg10_on_dev"


def write(path: Path, weights: Mapping[str, Tensor], ndcg: float | None) -> None:
    """Write the weights by name, and how they ranked, if they were measured as they are."""
    with files.replacing_file(path) as incoming:
        save_file(dict(weights), incoming, metadata=None if ndcg is None else {_NDCG: repr(ndcg)})


def read(path: Path, device: str) -> tuple[dict[str, Tensor], float | None]:
    """The weights on `device`, by name, and how they ranked, if the file says so."""
    with safe_open(path, framework="pt") as file:
        ndcg = (file.metadata() or {}).get(_NDCG)
    return load_file(path, device=device), None if ndcg is None else float(ndcg)
