"""Intel's SVS: a flat graph (Vamana) over vectors in fp16, or in 4 bits and 8 more for what these leave (LVQ).

Its licence is proprietary, and LVQ runs on Intel's processors alone: it says how fast one could be. One call gets the
queries of many clients, and its own threads search them.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import svs

from benchmarks.peers import nearest
from benchmarks.peers.nearest import BUILD_EFFORT, LINKS, Built, K, Search

# As many as HNSW has in its base layer.
_DEGREE = 2 * LINKS
# What its documentation suggests for inner products.
_ALPHA = 0.95


def _fp16(vectors: Any) -> Built:
    return _built(np.asarray(vectors).astype(np.float16))


def _lvq(vectors: Any) -> Built:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "vectors.fvecs")
        svs.write_vecs(np.asarray(vectors), path)
        return _built(svs.LVQLoader(svs.VectorDataLoader(path, svs.DataType.float32), primary=4, residual=8))


def _built(data: Any) -> Built:
    processors = len(os.sched_getaffinity(0))
    parameters = svs.VamanaBuildParameters(graph_max_degree=_DEGREE, window_size=BUILD_EFFORT, alpha=_ALPHA)
    index = svs.Vamana.build(parameters, data, svs.DistanceType.MIP, num_threads=processors)

    def with_effort(effort: int) -> Search:
        index.search_window_size = max(effort, K)

        def search(queries: Any) -> Any:
            threads = min(len(queries), processors)
            if index.num_threads != threads:
                index.num_threads = threads
            return index.search(queries, K)[0].astype(np.int64)

        return search

    return with_effort, None, {}


if __name__ == "__main__":
    nearest.main({"SVS, fp16": _fp16, "SVS, LVQ 4x8": _lvq}, together=True)
