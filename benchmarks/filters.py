"""`make bench-filters`: filtered search beside unfiltered search, by selectivity, without encoding.

The first table is of a whole search: SQLite, the conditions that are remembered, and the index. "First" is the time of
a search with a new condition, and "after a write" that of the first search after a document was written. The second
table compares the two ways of searching a graph under a filter, past the others or one by one, and shows where the
index changes from one to the other.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from benchmarks import machine
from benchmarks.vectors import corpus_and_queries
from service.corpus import filters
from service.corpus.base import Document, Documents
from service.corpus.sqlite.database import Database
from service.corpus.sqlite.documents import SqliteDocuments
from service.index.faiss import bitsets as bits
from service.index.faiss import sealed
from service.index.faiss.graph import walk
from service.index.faiss.partition import Partition
from service.index.faiss.sealed import Sealed
from service.index.rows import whole
from service.machine.arrays import Vectors
from service.search.conditions import meeting_in
from service.settings.data_folder import DataFolder

RESULTS = Path(__file__).parent / "results" / "filters.json"
_QUERIES = 100
_WRITTEN_AT_ONCE = 5000
_SHARES = {"half": 2, "1%": 100, "0.01%": 10_000}
_WAYS = (0.3, 0.1, 0.03, 0.01, 0.003)
_COLLECTION = "default"
_K = 10


def main() -> None:
    """Measure, print the tables and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    options = parser.parse_args()
    results = {"machine": machine.describe(), "sizes": [measure(size) for size in options.sizes]}
    print(table(results))
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def table(results: dict[str, Any]) -> str:
    """The results as Markdown tables."""
    lines = [
        "| documents | filter passes | ms | to unfiltered | first ms | after a write ms | recall@10 |",
        "|---|---|---|---|---|---|---|",
    ]
    for size in results["sizes"]:
        for row in size["shares"]:
            to = row["ms"] / size["shares"][0]["ms"]
            lines.append(
                f"| {size['documents']:,} | {row['share']} | {row['ms']:.2f} | {to:.2f}x | {row['first_ms']:.1f} |"
                f" {row['after_write_ms']:.2f} | {row['recall']:.3f} |"
            )
    lines += [
        "",
        "| documents | filter passes | past the others ms | one by one ms | chosen |",
        "|---|---|---|---|---|",
    ]
    for size in results["sizes"]:
        lines += [
            f"| {size['documents']:,} | {row['share']:.1%} | {row['past_ms']:.2f} | {row['one_by_one_ms']:.2f} |"
            f" {row['chosen']} |"
            for row in size["ways"]
        ]
    return "\n".join(lines)


def measure(size: int) -> dict[str, Any]:
    """Measure all filters on `size` documents."""
    vectors, queries = corpus_and_queries(size, _QUERIES)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(DataFolder(Path(folder)))
        documents = SqliteDocuments(database)
        seqs = _write(documents, size)
        built = sealed.build(lambda: whole(seqs, vectors), graph_from=1, min_recall=0.99)
        partition = Partition(vectors.shape[1], built)
        shares = [_share(documents, partition, queries, vectors, name) for name in ("all", *_SHARES)]
        database.close()
    return {"documents": size, "shares": shares, "ways": [_ways(built, queries, share) for share in _WAYS]}


def _write(documents: Documents, size: int) -> Any:
    added: list[int] = []
    for start in range(0, size, _WRITTEN_AT_ONCE):
        part = [
            Document(str(n), "text", {name: n % every for name, every in _SHARES.items()})
            for n in range(start, min(size, start + _WRITTEN_AT_ONCE))
        ]
        added += documents.put(_COLLECTION, part, lambda _: None).added
    return np.array(added, dtype=np.int64)


def _share(documents: Documents, partition: Partition, queries: Vectors, vectors: Vectors, name: str) -> dict[str, Any]:
    tree = None if name == "all" else filters.parse({name: 0})
    every = _SHARES.get(name, 1)
    allowed = np.arange(0, len(vectors), every)
    _, exact = faiss.knn(queries, vectors[allowed], _K, metric=faiss.METRIC_INNER_PRODUCT)

    def search(query: Vectors) -> Any:
        view = partition.view
        chosen = None if tree is None else view.select(tree, meeting_in(documents, _COLLECTION))
        return view.search(query[None], _K, chosen)[0][0]

    first = _ms(lambda: search(queries[0]))
    times, hits = [], []
    for query, right in zip(queries, exact, strict=True):
        began = time.perf_counter()
        seqs = search(query)
        times.append((time.perf_counter() - began) * 1000)
        wanted = {int(partition.view.sealed.seqs[allowed[row]]) for row in right if row >= 0}  # type: ignore[union-attr]
        hits.append(len(wanted & set(seqs.tolist())) / max(1, len(wanted)))
    written = documents.put(_COLLECTION, [Document("new", "text", {name: 1})], lambda _: None)
    partition.apply(whole(np.array(written.added), queries[:1]), written.died)
    return {
        "share": name,
        "ms": statistics.median(times),
        "first_ms": first,
        "after_write_ms": _ms(lambda: search(queries[1])),
        "recall": float(np.mean(hits)),
    }


def _ways(built: Sealed, queries: Vectors, share: float) -> dict[str, Any]:
    """Measure both ways at one selectivity. The allowed documents are random, so they do not depend on the query."""
    size = len(built.seqs)
    mask = np.random.default_rng(0).random(size) < share
    allowed = bits.pack(mask)
    assert built.graph is not None  # noqa: S101
    graph = replace(built.graph, effort=built.effort_past(len(mask) - int(mask.sum()), _K))
    one_by_one = faiss.SearchParameters(sel=faiss.IDSelectorArray(np.flatnonzero(mask)))

    def median(search: Callable[[Vectors], Any]) -> float:
        return statistics.median(_ms(partial(search, query[None])) for query in queries)

    return {
        "share": share,
        "past_ms": median(lambda query: walk(graph, built.distinct_vectors, query, _K, allowed)),
        "one_by_one_ms": median(lambda query: built.exact.search(query, _K, params=one_by_one)),
        "chosen": "one by one" if built.picks(int(mask.sum()), _K) else "past the others",
    }


def _ms(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
