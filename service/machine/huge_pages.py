"""Arrays for random access: in huge pages, to save TLB misses, and page-aligned, so that a vector lies on as few cache
lines as possible (docs/performance.md).
"""

import math
import mmap
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray


def empty(shape: tuple[int, ...], dtype: "np.dtype[Any] | type[np.generic]") -> NDArray[Any]:
    """A page-aligned array to be filled; raises MemoryError.

    The kernel is asked for huge pages, where it has them (madvise(2), MADV_HUGEPAGE).
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if not size:
        return np.empty(shape, dtype)
    try:
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"there is no memory for an array of {size} bytes ({error.strerror})") from error
    if hasattr(mmap, "MADV_HUGEPAGE"):
        # Some kernels have no huge pages, such as gVisor's.
        with suppress(OSError):
            memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, dtype).reshape(shape)


def copied(array: NDArray[Any]) -> NDArray[Any]:
    """A page-aligned copy."""
    copy = empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def placed(array: NDArray[Any]) -> NDArray[Any]:
    """The array itself if it is page-aligned and contiguous, else a copy that is."""
    aligned = array.flags.c_contiguous and array.ctypes.data % mmap.PAGESIZE == 0
    return array if aligned else copied(array)
