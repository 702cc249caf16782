"""`make bench-index`: exact search against HNSW by size, which is where `INSTAR_GRAPH_FROM` comes from."""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from benchmarks import machine
from benchmarks.vectors import corpus_and_queries
from service.encoder.engine import Vectors
from service.index import sealed
from service.index.sealed import Sealed

RESULTS = Path(__file__).parent / "results" / "index.json"
_QUERIES = 200


def main() -> None:
    """Measure, print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 20_000, 50_000, 100_000])
    given = parser.parse_args()
    found = {"machine": machine.describe(), "sizes": [measure(size) for size in given.sizes]}
    print(table(found))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


def table(found: dict[str, Any]) -> str:
    """The figures as a reader wants them."""
    heads = ["vectors", "exact ms", "HNSW ms", "HNSW to exact", "build s", "recall@10", "effort"]
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    rows += [
        f"| {row['vectors']:,} | {row['exact_ms']:.2f} | {row['hnsw_ms']:.2f} |"
        f" {row['hnsw_ms'] / row['exact_ms']:.2f}x | {row['build_s']:.1f} | {row['recall']:.3f} | {row['effort']} |"
        for row in found["sizes"]
    ]
    return "\n".join(rows)


def measure(size: int) -> dict[str, Any]:
    """One search by one query among `size` vectors, exact and by HNSW, and the recall@10 of HNSW."""
    vectors, queries = corpus_and_queries(size, _QUERIES)
    seqs = np.arange(size, dtype=np.int64)
    exact = sealed.build(seqs, vectors, graph_from=size + 1, min_recall=0.99)
    began = time.perf_counter()
    graph = sealed.build(seqs, vectors, graph_from=1, min_recall=0.99)
    build = time.perf_counter() - began
    _, right = faiss.knn(queries, vectors, 10, metric=faiss.METRIC_INNER_PRODUCT)
    _, found = graph.search(queries, 10, None)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(right.tolist(), found.tolist(), strict=True)])
    return {
        "vectors": size,
        "exact_ms": _median_ms(exact, queries),
        "hnsw_ms": _median_ms(graph, queries),
        "build_s": build,
        "recall": float(recall),
        "effort": graph.effort,
    }


def _median_ms(built: Sealed, queries: Vectors) -> float:
    times = []
    for query in queries:
        began = time.perf_counter()
        built.search(query[None, :], 10, None)
        times.append(time.perf_counter() - began)
    return float(np.median(times)) * 1000


if __name__ == "__main__":
    main()
