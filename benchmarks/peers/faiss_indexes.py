"""Instar's index, and other indexes of FAISS."""

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from benchmarks.peers import nearest
from benchmarks.peers.nearest import BUILD_EFFORT, LINKS, Built, K, Search
from service.index.faiss import graph_repair, sealed
from service.index.faiss.graph_cache import GraphCache
from service.index.rows import whole
from service.settings.groups import IndexSettings

# A quantised index compares so many times ten results once more, by their whole vectors.
_REFINED = 8


def _instar(vectors: Any) -> Built:
    """As the service has it: from the graph that it has cached. The questions lie beside the file of the vectors."""
    asked = np.load(Path(vectors.filename).with_name("asked.npy"))
    min_recall = IndexSettings.model_fields["min_recall"].default
    built = sealed.build(
        lambda: whole(np.arange(len(vectors)), np.asarray(vectors)),
        graph_from=1,
        min_recall=min_recall,
        questions=lambda *_: asked,
    )
    with tempfile.TemporaryDirectory() as folder:
        built = GraphCache(Path(folder)).keep("fingerprint", "collection", built, min_recall)
    return lambda _: lambda query: built.search(query, K, None)[1], built.effort, {}


def _exact(vectors: Any) -> Built:
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(np.asarray(vectors))
    return lambda _: lambda query: index.search(query, K)[1], 0, {}


def _faiss_hnsw(vectors: Any) -> Built:
    graph = faiss.IndexHNSWFlat(vectors.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = BUILD_EFFORT
    graph.add(np.asarray(vectors))
    return _faiss(
        graph, lambda effort: faiss.SearchParametersHNSW(efSearch=effort), cut_off=len(graph_repair.unreachable(graph))
    )


def _hnsw_sq8(vectors: Any) -> Built:
    index = faiss.index_factory(vectors.shape[1], f"HNSW{LINKS}_SQ8,RFlat", faiss.METRIC_INNER_PRODUCT)
    faiss.downcast_index(index.base_index).hnsw.efConstruction = BUILD_EFFORT

    def parameters(effort: int) -> Any:
        # Instar uses this queue, and Instar could use this index.
        return faiss.SearchParametersHNSW(efSearch=max(effort, K * _REFINED), bounded_queue=False)

    return _refined(index, vectors, parameters)


def _ivf(code: str) -> Callable[[Any], Built]:
    def build(vectors: Any) -> Built:
        lists = 2 ** round(math.log2(4 * math.sqrt(len(vectors))))
        index = faiss.index_factory(vectors.shape[1], f"IVF{lists},{code}", faiss.METRIC_INNER_PRODUCT)
        if "RFlat" in code:
            return _refined(index, vectors, lambda effort: faiss.SearchParametersIVF(nprobe=min(effort, lists)))
        index.train(np.asarray(vectors))
        index.add(np.asarray(vectors))
        return _faiss(index, lambda effort: faiss.SearchParametersIVF(nprobe=min(effort, lists)))

    return build


def _refined(index: Any, vectors: Any, parameters: Callable[[int], Any]) -> Built:
    index.train(np.asarray(vectors))
    index.add(np.asarray(vectors))

    def with_effort(effort: int) -> Search:
        base = parameters(effort)
        both = faiss.IndexRefineSearchParameters(k_factor=_REFINED, base_index_params=base)
        return lambda query: index.search(query, K, params=both)[1]

    return with_effort, None, {}


def _faiss(index: Any, parameters: Callable[[int], Any], **more: Any) -> Built:
    return lambda effort: lambda query: index.search(query, K, params=parameters(effort))[1], None, more


INDEXES: dict[str, Callable[[Any], Built]] = {
    "Instar": _instar,
    "exact": _exact,
    "FAISS HNSW": _faiss_hnsw,
    "FAISS HNSW, SQ8, refined": _hnsw_sq8,
    "FAISS IVF": _ivf("Flat"),
    "FAISS IVF, fast scan, refined": _ivf("PQ96x4fs,RFlat"),
    "FAISS IVF, RaBitQ, refined": _ivf("RaBitQ,RFlat"),
}


if __name__ == "__main__":
    nearest.main(INDEXES)
