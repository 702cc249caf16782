"""usearch, with the links and the build effort of Instar's graph.

It holds the interpreter while it searches. So one call gets the queries of many clients, and usearch's own threads
search them.
"""

import os
from typing import Any

import numpy as np
from usearch.index import Index

from benchmarks.peers import nearest
from benchmarks.peers.nearest import BUILD_EFFORT, LINKS, Built, K, Search


def _usearch(vectors: Any) -> Built:
    index = Index(ndim=vectors.shape[1], metric="ip", dtype="f32", connectivity=LINKS, expansion_add=BUILD_EFFORT)
    processors = len(os.sched_getaffinity(0))
    index.add(np.arange(len(vectors)), np.asarray(vectors))

    def with_effort(effort: int) -> Search:
        index.expansion_search = effort
        return lambda queries: index.search(queries, K, threads=min(len(queries), processors)).keys.astype(np.int64)

    return with_effort, None, {}


if __name__ == "__main__":
    nearest.main({"usearch": _usearch}, together=True)
