"""Sets of positions as packed bits, eight to a byte, the lowest first, as FAISS's `IDSelectorBitmap` reads them.

A set of a million positions takes 125 kB, so it can be copied for each change, kept for each filter, and combined with
`&`, `|` and `~` in microseconds. `~` also flips the padding bits, so `count`, `members` and `unpack` need the size.
"""

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint8]
Positions = NDArray[np.int64]


def pack(mask: NDArray[np.bool_]) -> Bits:
    """Pack the positions at which `mask` is true."""
    return np.packbits(mask, bitorder="little")


def unpack(bits: Bits, size: int) -> NDArray[np.bool_]:
    """Return the set as a mask of `size` positions."""
    return np.unpackbits(bits, count=size, bitorder="little").view(np.bool_)


def count(bits: Bits, size: int) -> int:
    """Count the first `size` positions that are in the set."""
    whole, rest = divmod(size, 8)
    counted = int(np.bitwise_count(bits[:whole]).sum(dtype=np.int64))
    return counted + (int(bits[whole] & ((1 << rest) - 1)).bit_count() if rest else 0)


def members(bits: Bits, size: int) -> Positions:
    """List the positions in the set, ascending."""
    return np.flatnonzero(unpack(bits, size))


def has(bits: Bits, positions: Positions) -> NDArray[np.bool_]:
    """Say which of the `positions` are in the set."""
    inside: NDArray[np.bool_] = (bits[positions >> 3] >> (positions & 7) & 1).astype(np.bool_)
    return inside


def everything(size: int) -> Bits:
    """Return the set of all `size` positions."""
    return np.full(-(-size // 8), 255, dtype=np.uint8)


def without(bits: Bits, removed: Positions) -> Bits:
    """Return a copy without the positions `removed`."""
    remaining = bits.copy()
    np.bitwise_and.at(remaining, removed >> 3, ~np.left_shift(1, removed & 7).astype(np.uint8))
    return remaining
