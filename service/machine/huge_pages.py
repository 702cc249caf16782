"""Memory for what is read here and there: in huge pages, of which the processor remembers where they are, and on cache
lines, so that a vector takes no more of them than it has to (docs/performance.md).
"""

import math
import mmap
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray


def empty(shape: tuple[int, ...], dtype: "np.dtype[Any] | type[np.generic]") -> NDArray[Any]:
    """An array to be filled, at the beginning of a page; the kernel is asked for huge ones, where it has them
    (madvise(2), MADV_HUGEPAGE). Raises MemoryError."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if not size:
        return np.empty(shape, dtype)
    try:
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"there is no memory for an array of {size} bytes ({error.strerror})") from error
    if hasattr(mmap, "MADV_HUGEPAGE"):
        # A kernel without them, as gVisor's.
        with suppress(OSError):
            memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, dtype).reshape(shape)


def taken(array: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
    """A copy of some rows."""
    copy = empty((len(rows), *array.shape[1:]), array.dtype)
    # With "raise" NumPy would fill an array of its own first.
    return np.take(array, rows, axis=0, out=copy, mode="clip")


def copied(array: NDArray[Any]) -> NDArray[Any]:
    """A copy that lies so."""
    copy = empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def placed(array: NDArray[Any]) -> NDArray[Any]:
    """The array itself if it lies on a page and without gaps, else a copy that does."""
    fits = array.flags.c_contiguous and array.ctypes.data % mmap.PAGESIZE == 0
    return array if fits else copied(array)
