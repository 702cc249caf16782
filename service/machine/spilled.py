"""Arrays that the system may write to the disk when it needs the memory."""

import math
import mmap
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.machine import huge_pages


def empty(folder: Path, shape: tuple[int, ...], dtype: "np.dtype[Any] | type[np.generic]") -> NDArray[Any]:
    """A page-aligned array to be filled, in a file of `folder` that has no name and goes with the array.

    It lies in memory if the disk has no room for it. Raises MemoryError if there is none either.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if not size:
        return np.empty(shape, dtype)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            # A page that finds no room when it is written would end the process (SIGBUS).
            os.posix_fallocate(file.fileno(), 0, size)
            memory = mmap.mmap(file.fileno(), size)
    except OSError:
        return huge_pages.empty(shape, dtype)
    return np.frombuffer(memory, dtype).reshape(shape)
