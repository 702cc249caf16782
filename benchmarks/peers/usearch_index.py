"""usearch, with the links and the build effort of Instar's graph."""

from typing import Any

import numpy as np
from usearch.index import Index

from benchmarks.peers import nearest
from benchmarks.peers.nearest import BUILD_EFFORT, LINKS, Built, K, Search


def _usearch(vectors: Any) -> Built:
    index = Index(ndim=vectors.shape[1], metric="ip", dtype="f32", connectivity=LINKS, expansion_add=BUILD_EFFORT)
    index.add(np.arange(len(vectors)), np.asarray(vectors))

    def with_effort(effort: int) -> Search:
        index.expansion_search = effort
        return lambda query: index.search(query[0], K, threads=1).keys.astype(np.int64)

    return with_effort, None, {}


if __name__ == "__main__":
    nearest.main({"usearch": _usearch})
