"""The files that belong to a checkpoint, and their sizes."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, TypeAdapter, ValidationError

from service.checkpoints.config_files import Module, module_paths

FILE_KINDS = frozenset({".json", ".txt", ".md", ".safetensors"})
# The page by which the trainer shows whether the model is better. It belongs to a checkpoint whose manifest names it.
REPORT = "report.html"


class _Tensor(BaseModel):
    """One tensor in the header of a safetensors file. The file's metadata looks like a tensor without a shape."""

    shape: list[int] = []


_TENSORS = TypeAdapter(dict[str, _Tensor])


def file_paths(folder: Path, modules: Iterable[Module]) -> Iterator[str]:
    """The paths below `folder` of the checkpoint's files: those of a known kind at its root and in its modules.

    Other files, such as the optimizer state and the intermediate checkpoints of a training run, do not belong to it.
    """
    for path in folder.iterdir():
        if path.is_file() and path.suffix in FILE_KINDS:
            yield path.name
    for top in {PurePosixPath(path).parts[0] for path in module_paths(folder, modules) if path}:
        for path in (folder / top).rglob("*"):
            if path.is_file() and path.suffix in FILE_KINDS:
                yield path.relative_to(folder).as_posix()


def computed_size(weights: Path) -> int:
    """The bytes of the numbers of a safetensors file in fp32; the file's size if its header cannot be read."""
    size = weights.stat().st_size
    with weights.open("rb") as file:
        header = file.read(min(int.from_bytes(file.read(8), "little"), size))
    try:
        tensors = _TENSORS.validate_json(header)
    except ValidationError:
        return size
    return sum(4 * math.prod(tensor.shape) for name, tensor in tensors.items() if name != "__metadata__")
