"""From vectors to positions: t-SNE of the graph of nearest neighbours, by openTSNE, in a process of its own.

Every link of the graph has the same weight: with few neighbours that comes to the usual map of t-SNE at a fraction of
its cost (Böhm, Berens and Kobak 2022). One thread computes, so equal vectors and beginnings give equal maps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from service.generations.maps.layout import Nearest, Positions, beginning, laid_onto
from service.machine.arrays import Vectors
from service.machine.children import Say
from service.observability.observer import Observer

# Finds the k nearest rows of each of many unit vectors (n, dimensions), the row itself aside: (n, k).
Neighbours = Callable[[Vectors, int], Nearest]
# Told of a stage, the steps that are done, and all of its steps.
Progress = Callable[[str, int, int], None]

# The files in the folder of a projection.
VECTORS, FORMER, POSITIONS = "vectors.npy", "former.npy", "positions.npy"
_NEIGHBOURS = 15
# With fewer points than this the beginning is the map.
_LEAST = 8
# Early exaggeration and what follows it: iterations, and the factor of attraction (Kobak and Berens 2019).
_PHASES = ((250, 12.0), (500, 1.0))
# Iterations between two words of progress.
_STEP = 25
# The spread at which the projection begins, so that forces are neither huge nor without effect.
_FIRST_SPREAD = 1e-4
# From so many points on, interpolation costs less than a tree.
_INTERPOLATED_FROM = 4000


@dataclass(frozen=True)
class Projection:
    """The work of a child: it reads vectors and former positions out of `folder`, and writes the positions there.

    It says how far it is, a line for each step: the stage, the steps that are done, and all of its steps. Picklable, if
    `neighbours` is.
    """

    folder: Path
    neighbours: Neighbours

    def __call__(self, say: Say, observer: Observer) -> None:  # noqa: ARG002
        """Compute. Raises ModuleNotFoundError without openTSNE."""

        def note(stage: str, done: int, total: int) -> None:
            say(f"{stage} {done} {total}")

        vectors = np.load(self.folder / VECTORS)
        former_path = self.folder / FORMER
        former = np.load(former_path) if former_path.exists() else None
        np.save(self.folder / POSITIONS, project(vectors, former, self.neighbours, note))


def project(vectors: Vectors, former: Positions | None, neighbours: Neighbours, note: Progress) -> Positions:
    """Return the positions (n, 2) of unit vectors (n, dimensions), laid onto the `former` ones (n, 2), which are NaN
    for those that had none."""
    note("neighbours", 0, 0)
    nearest = neighbours(vectors, min(_NEIGHBOURS, len(vectors) - 1))
    positions = beginning(vectors, nearest, former)
    if len(vectors) >= _LEAST:
        positions = _optimised(positions, nearest, note)
    return laid_onto(positions, former)


def _optimised(positions: Positions, nearest: Nearest, note: Progress) -> Positions:
    from openTSNE import TSNEEmbedding, affinity  # noqa: PLC0415

    method = "fft" if len(positions) >= _INTERPOLATED_FROM else "bh"
    embedding = TSNEEmbedding(
        positions * (_FIRST_SPREAD / (positions.std() or 1.0)),
        affinity.PrecomputedAffinities(_links(nearest)),
        negative_gradient_method=method,
        n_jobs=1,
        random_state=0,
    )
    total = sum(iterations for iterations, _ in _PHASES)
    done = 0
    for iterations, exaggeration in _PHASES:
        for _ in range(0, iterations, _STEP):
            note("positions", done, total)
            embedding.optimize(_STEP, inplace=True, exaggeration=exaggeration, momentum=0.8)
            done += _STEP
    return np.array(embedding, dtype=np.float64)


def _links(nearest: Nearest) -> Any:
    """Return the graph as a sparse matrix (n, n): 1 where one of two points is among the neighbours of the other."""
    from scipy.sparse import csr_matrix  # noqa: PLC0415

    count, width = nearest.shape
    rows = np.repeat(np.arange(count), width)
    columns = nearest.ravel()
    real = rows != columns
    links = csr_matrix((np.ones(real.sum()), (rows[real], columns[real])), shape=(count, count))
    links = links.maximum(links.T).tocsr()
    links.data[:] = 1.0
    return links
