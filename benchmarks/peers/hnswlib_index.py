"""hnswlib, with the links and the build effort of Instar's graph."""

from typing import Any

import hnswlib
import numpy as np

from benchmarks.peers import nearest
from benchmarks.peers.nearest import BUILD_EFFORT, LINKS, Built, K, Search


def _hnswlib(vectors: Any) -> Built:
    index = hnswlib.Index(space="ip", dim=vectors.shape[1])
    index.init_index(max_elements=len(vectors), M=LINKS, ef_construction=BUILD_EFFORT)
    index.add_items(np.asarray(vectors))

    def with_effort(effort: int) -> Search:
        index.set_ef(max(effort, K))
        return lambda query: index.knn_query(query, k=K, num_threads=1)[0]

    return with_effort, None, {}


if __name__ == "__main__":
    nearest.main({"hnswlib": _hnswlib})
