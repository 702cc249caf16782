"""Vectors whose neighbours are known."""

from typing import Any

import numpy as np


def clusters(count: int, dimensions: int = 24, groups: int = 6, seed: int = 0) -> tuple[Any, Any]:
    """Unit vectors in groups, and the group of each."""
    pick = np.random.default_rng(seed)
    middles = pick.normal(size=(groups, dimensions))
    of = pick.integers(groups, size=count)
    return unit(middles[of] + 0.6 * pick.normal(size=(count, dimensions))), of


def unit(vectors: Any) -> Any:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def nearest(vectors: Any, k: int) -> Any:
    """The k nearest rows of each row, by comparing all."""
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def nearest_in_plane(positions: Any, k: int) -> Any:
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    return np.argsort(distances, axis=1, kind="stable")[:, :k]


def recall(wanted: Any, shown: Any) -> float:
    """The share of the wanted neighbours that are shown."""
    return float(np.mean([len(set(one) & set(other)) / len(one) for one, other in zip(wanted, shown, strict=True)]))
