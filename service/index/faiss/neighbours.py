"""The nearest neighbours of every vector among many, for maps: approximate where comparing all pairs takes long."""

import faiss
import numpy as np
from numpy.typing import NDArray

from service.machine.arrays import Vectors

# Up to so many vectors all pairs are compared.
_COMPARED = 20_000
# Cells of an inverted file: so many times the root of the vectors. Of the cells, so many are searched for each vector.
_CELLS, _PROBES = 2, 12
# Vectors of each cell that it is trained on.
_TRAINED = 64
_SEED = 0


def nearest_rows(vectors: Vectors, k: int) -> NDArray[np.int64]:
    """Return the `k` nearest rows of each unit vector (n, dimensions) by cosine, without itself: (n, k), best first.

    A row for which fewer were looked at stands for itself in the places that are left. One thread computes, so equal
    vectors have equal neighbours.
    """
    faiss.omp_set_num_threads(1)
    count, dimensions = vectors.shape
    if count <= _COMPARED:
        index = faiss.IndexFlatIP(dimensions)
    else:
        cells = int(_CELLS * count**0.5)
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dimensions), dimensions, cells, faiss.METRIC_INNER_PRODUCT)
        index.cp.seed = _SEED
        index.cp.max_points_per_centroid = _TRAINED
        index.nprobe = _PROBES
        index.train(vectors)
    index.add(vectors)
    _, rows = index.search(vectors, k + 1)
    itself = np.arange(count)[:, None]
    rows = np.where(rows < 0, itself, rows)
    # The row itself goes behind all others. Among equal vectors it may not be the first, or not there at all.
    order = np.argsort(rows == itself, axis=1, kind="stable")
    others: NDArray[np.int64] = np.take_along_axis(rows, order, axis=1)[:, :k]
    return others
