"""Positions before and after the projection: where it begins, and how a map is laid onto an earlier one."""

import numpy as np
from numpy.typing import NDArray

from service.machine.arrays import Vectors

# Positions of points: (n, 2).
Positions = NDArray[np.float64]
# The nearest rows of each row, best first: (n, k). A row that stands for itself is no neighbour.
Nearest = NDArray[np.int64]

_SEED = 0
# Documents that two maps must share, so that one can begin at the positions of the other.
_LEAST_SHARED = 3
# Equal vectors would never part: positions are shaken by this share of their spread.
_SHAKE = 0.01
# Rows whose products are summed at a time.
_PORTION = 10_000


def beginning(vectors: Vectors, nearest: Nearest, former: Positions | None) -> Positions:
    """Return where the projection of unit vectors (n, dimensions) begins.

    `former` (n, 2) are the positions on another map, NaN for documents that it does not have: these begin in the middle
    of their neighbours. Without them, the points begin at their first two principal components.
    """
    known = _known(former, len(vectors))
    positions = _principal(vectors) if former is None or not known.any() else _among_neighbours(former, known, nearest)
    spread = positions.std() or 1.0
    positions += np.random.default_rng(_SEED).normal(scale=_SHAKE * spread, size=positions.shape)
    return positions


def laid_onto(positions: Positions, former: Positions | None) -> Positions:
    """Turn, mirror, move and scale positions so that they lie on the `former` ones as well as they can (Procrustes).

    Without former positions, the middle is 0 and the farthest coordinate is 1.
    """
    known = _known(former, len(positions))
    if former is None or not known.any():
        centred: Positions = positions - positions.mean(axis=0)
        centred /= np.abs(centred).max() or 1.0
        return centred
    middle, wanted = positions[known].mean(axis=0), former[known].mean(axis=0)
    moved, shared = positions - middle, former[known] - wanted
    left, _, right = np.linalg.svd(moved[known].T @ shared)
    size = np.linalg.norm(moved[known])
    scale = np.linalg.norm(shared) / size if size else 1.0
    laid: Positions = scale * moved @ (left @ right) + wanted
    return laid


def _known(former: Positions | None, count: int) -> NDArray[np.bool_]:
    """Say which documents have a former position (n,); none of them, if too few have one to lay a map onto."""
    known: NDArray[np.bool_] = np.zeros(count, np.bool_)
    if former is not None:
        known |= np.isfinite(former).all(axis=1)
    return known if known.sum() >= min(_LEAST_SHARED, count) else np.zeros(count, np.bool_)


def _principal(vectors: Vectors) -> Positions:
    """Return the first two principal components."""
    middle = vectors.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((vectors.shape[1], vectors.shape[1]))
    portions = range(0, len(vectors), _PORTION)
    for start in portions:
        moved = vectors[start : start + _PORTION] - middle
        covariance += moved.T @ moved
    _, axes = np.linalg.eigh(covariance)
    first = axes[:, : -min(2, len(axes)) - 1 : -1]
    # An axis and its opposite serve as well: one of them is chosen for good.
    first = first * np.sign(first[np.abs(first).argmax(axis=0), np.arange(first.shape[1])])
    positions = np.zeros((len(vectors), 2))
    for start in portions:
        positions[start : start + _PORTION, : first.shape[1]] = (vectors[start : start + _PORTION] - middle) @ first
    return positions


def _among_neighbours(former: Positions, known: NDArray[np.bool_], nearest: Nearest) -> Positions:
    """Return the former positions, and for the other documents the middle of their neighbours that have one."""
    positions = former.astype(np.float64)
    positions[~known] = former[known].mean(axis=0)
    new = np.flatnonzero(~known)
    around = np.where(known[nearest[new]][:, :, None], former[nearest[new]], 0.0)
    counts = known[nearest[new]].sum(axis=1)
    placed = counts > 0
    positions[new[placed]] = around[placed].sum(axis=1) / counts[placed, None]
    return positions
