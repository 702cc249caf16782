"""Sets of places as packed bits, eight to a byte, the lowest first, as FAISS's `IDSelectorBitmap` reads them.

A million places take 125 kB, so a set can be copied for each change, kept for each filter, and combined with `&`, `|`
and `~` in microseconds. `~` also turns the bits behind the last place; whoever counts or lists says how many there are.
"""

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint8]
Places = NDArray[np.int64]


def pack(mask: NDArray[np.bool_]) -> Bits:
    """The places where `mask` is true."""
    return np.packbits(mask, bitorder="little")


def unpack(bits: Bits, size: int) -> NDArray[np.bool_]:
    """A mask of `size` places."""
    return np.unpackbits(bits, count=size, bitorder="little").view(np.bool_)


def count(bits: Bits, size: int) -> int:
    """How many of the first `size` places are in the set."""
    whole, rest = divmod(size, 8)
    found = int(np.bitwise_count(bits[:whole]).sum(dtype=np.int64))
    return found + (int(bits[whole] & ((1 << rest) - 1)).bit_count() if rest else 0)


def places(bits: Bits, size: int) -> Places:
    """The places in the set, ascending."""
    return np.flatnonzero(unpack(bits, size))


def has(bits: Bits, wanted: Places) -> NDArray[np.bool_]:
    """Which of the `wanted` places are in the set."""
    found: NDArray[np.bool_] = (bits[wanted >> 3] >> (wanted & 7) & 1).astype(np.bool_)
    return found


def everything(size: int) -> Bits:
    """All of `size` places."""
    return np.full(-(-size // 8), 255, dtype=np.uint8)


def without(bits: Bits, gone: Places) -> Bits:
    """A copy without the places `gone`."""
    left = bits.copy()
    np.bitwise_and.at(left, gone >> 3, ~np.left_shift(1, gone & 7).astype(np.uint8))
    return left
