"""Tests whether a difference between two models on equal queries is more than chance, for the service and the trainer.

Queries with a common answer depend on each other, so a cluster of them is flipped and resampled as a whole.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Clusters = NDArray[np.int64]
Marks = NDArray[np.bool_]

_ROUNDS = 10_000
# Numbers that are drawn at a time, so that thousands of clusters take no gigabytes.
_DRAWN = 1 << 20
# Up to so many clusters, all 2^n patterns of signs are tried.
_EXACT = 12
# Two-sided 5% and a power of 80%: 1.960 + 0.842.
_DETECTABLE = 2.802
_LEVEL = (2.5, 97.5)
# Adding in another order may change a sum by this.
_ROUNDING = 1e-12


def p_value(differences: Floats, clusters: Clusters, seed: int) -> float:
    """Two-sided p of the paired randomisation test on the mean of `differences` (n). `clusters` (n) flip as wholes.

    Smucker, Allan and Carterette (2007) recommend this test of Fisher's. It is exact for up to 12 clusters.
    """
    sums, _ = _by_cluster(differences, clusters)
    if len(sums) <= _EXACT:
        signs = np.array(list(product((-1.0, 1.0), repeat=len(sums))))
        return float(np.mean(np.abs(signs @ sums) >= abs(sums.sum()) - _ROUNDING))
    draw = np.random.default_rng(seed)
    extreme = 0
    for rounds in _portions(len(sums)):
        signs = draw.choice((-1.0, 1.0), size=(rounds, len(sums)))
        extreme += int(np.count_nonzero(np.abs(signs @ sums) >= abs(sums.sum()) - _ROUNDING))
    return float((extreme + 1) / (_ROUNDS + 1))


def interval(values: Floats, clusters: Clusters, seed: int) -> tuple[float, float]:
    """The 95% percentile bootstrap interval of the mean of `values` (n). `clusters` (n) are drawn as wholes."""
    sums, sizes = _by_cluster(values, clusters)
    draw = np.random.default_rng(seed)
    means = []
    for rounds in _portions(len(sums)):
        drawn = draw.integers(len(sums), size=(rounds, len(sums)))
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    low, high = np.percentile(np.concatenate(means), _LEVEL)
    return float(low), float(high)


def detectable(differences: Floats, clusters: Clusters) -> float | None:
    """The smallest mean difference that so many queries would show in four of five tries, at p below 0.05.

    It is 2.802 standard errors of the mean, by the sandwich estimator over clusters (Liang and Zeger 1986). None for a
    single cluster.
    """
    sums, sizes = _by_cluster(differences, clusters)
    count = len(sums)
    if count < 2:
        return None
    residuals = sums - sizes * differences.mean()
    error = np.sqrt(count / (count - 1) * np.sum(residuals**2)) / len(differences)
    return float(_DETECTABLE * error)


def _portions(clusters: int) -> Iterator[int]:
    """Divide the rounds over so many clusters into portions, which draw the numbers that one portion would."""
    most = max(_DRAWN // clusters, 1)
    for begun in range(0, _ROUNDS, most):
        yield min(most, _ROUNDS - begun)


def _by_cluster(values: Floats, clusters: Clusters) -> tuple[Floats, Floats]:
    """The sum and the size of every cluster."""
    _, numbers = np.unique(clusters, return_inverse=True)
    return np.bincount(numbers, weights=values).astype(np.float64), np.bincount(numbers).astype(np.float64)
