"""`make bench-pgvector`: vectors and their index in PostgreSQL beside SQLite and FAISS, on equal vectors.

The first table is of stored vectors: written 128 documents at a time, as a reload does, and read as a start does. The
second one is of the index: built from stored vectors, and asked real questions, one after the other. "Again" is the
time that another replica takes, which finds what the first one has built. The server is a local one that has 2 GB of
shared buffers, leaves out syncs to the disk, and has PostgreSQL's own settings otherwise.
"""

import argparse
import ctypes
import gc
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import psycopg

from benchmarks import machine
from benchmarks.asked import questions_of
from benchmarks.vectors import corpus_and_queries, real_texts
from service.corpus import filters
from service.index.base import IndexFactory, VectorIndex
from service.index.faiss.factory import FaissIndexes
from service.index.pgvector.factory import PgvectorIndexes
from service.index.postgres.tables import VectorTables
from service.index.rows import Rows, whole
from service.index.stores import VectorSource, VectorStores
from service.index.vector_folder import VectorFolder
from service.machine.arrays import Vectors
from service.postgres.database import Database
from service.settings.groups import IndexSettings
from tests.support import postgres

RESULTS = Path(__file__).parent / "results" / "pgvector.json"
_QUERIES = 500
_PORTION = 128
_K = 10
_GRAPH_FROM = 1000
_FINGERPRINT = "f" * 12
_BYTES = (
    "SELECT COALESCE(sum(pg_total_relation_size(pg_class.oid)), 0)::bigint FROM pg_class"
    " WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
)


def main() -> None:
    """Measure, print the tables and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000])
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    results: dict[str, Any] = {"machine": machine.describe(), "sizes": []}
    for size in options.sizes:
        results["sizes"].append(measure(size))
        # A million takes the better part of an hour, and what came before it is not to be lost with it.
        options.results.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))


def table(results: dict[str, Any]) -> str:
    """The results as Markdown tables."""
    lines = ["| vectors | stored in | put s | put/s | list s | get s | get/s |", "|---" * 7 + "|"]
    for size in results["sizes"]:
        count = size["vectors"]
        lines += [
            f"| {count:,} | {row['name']} | {row['put_s']:.2f} | {count / row['put_s']:,.0f} | {row['list_s']:.3f} |"
            f" {row['get_s']:.2f} | {count / row['get_s']:,.0f} |"
            for row in size["stores"]
        ]
    lines += [
        "",
        "| vectors | index | recall@10 | effort | p50 ms | p99 ms | 1% passes p50 ms | build s | again s |"
        " memory of the replica MiB | on disk MiB |",
        "|---" * 11 + "|",
    ]
    for size in results["sizes"]:
        lines += [
            f"| {size['vectors']:,} | {row['name']} | {row['recall']:.4f} | {row['effort']} | {row['p50_ms']:.2f} |"
            f" {row['p99_ms']:.2f} | {row['filtered_ms']:.2f} | {row['build_s']:.1f} | {row['again_s']:.1f} |"
            f" {row['memory_mib']:,.0f} | {row['disk_mib']:,.0f} |"
            for row in size["indexes"]
        ]
    return "\n".join(lines)


@contextmanager
def opened() -> Iterator[tuple[Path, Database]]:
    """A folder, and a database on the same disk."""
    folder = Path(tempfile.mkdtemp())
    with postgres.running() as server:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET shared_buffers TO '2GB'")
        server.stop()
        server.start()
        database = Database(server.url(), "bench")
        try:
            yield folder, database
        finally:
            database.close()
            shutil.rmtree(folder)


def measure(size: int) -> dict[str, Any]:
    """Measure stores and indexes of `size` vectors."""
    vectors, queries = corpus_and_queries(size, _QUERIES)
    rows = whole(np.arange(1, size + 1), vectors)
    asked = questions_of(real_texts())
    with opened() as (folder, database):
        files, tables = VectorFolder(folder / "vectors"), VectorTables(database)
        stores: dict[str, VectorStores] = {"SQLite": files, "PostgreSQL": tables}
        stored = [{"name": name, **_stored(each, rows)} for name, each in stores.items()]
        settings = {"graph_from": _GRAPH_FROM, "min_recall": IndexSettings.model_fields["min_recall"].default}
        graphs = folder / "graphs"
        indexes: dict[str, tuple[Callable[[], IndexFactory], Callable[[], int]]] = {
            "FAISS": (lambda: FaissIndexes(files, graphs, **settings), partial(_bytes_below, graphs)),
            "pgvector": (lambda: PgvectorIndexes(database, **settings), partial(_bytes_in, database)),
        }
        searched = []
        for name, (make, occupied) in indexes.items():
            before = occupied()
            figures = _searched(make, rows, queries, asked)
            searched.append({"name": name, **figures, "disk_mib": (occupied() - before) / 2**20})
    return {"vectors": size, "stores": stored, "indexes": searched}


def _stored(stores: VectorStores, rows: Rows) -> dict[str, float]:
    store: VectorSource = stores.open_store(_FINGERPRINT, rows.vectors.shape[1])

    def put_all() -> None:
        for start in range(0, len(rows), _PORTION):
            store.put(rows[start : start + _PORTION])

    put = _seconds(put_all)
    listed = _seconds(lambda: store.missing(rows.seqs))
    # The first reading may still have the pages of the writing to sort out.
    get = min(_seconds(lambda: store.get(rows.seqs)) for _ in range(3))
    store.close()
    return {"put_s": put, "list_s": listed, "get_s": get}


def _searched(make: Callable[[], IndexFactory], rows: Rows, queries: Vectors, asked: Vectors) -> dict[str, Any]:
    live, high = {"default": rows.seqs}, int(rows.seqs[-1])

    def built() -> VectorIndex:
        index = make().open(_FINGERPRINT, rows.vectors.shape[1])
        index.build(live, high, lambda: False, lambda *_: asked)()
        return index

    _, right = faiss.knn(queries, rows.vectors, _K, metric=faiss.METRIC_INNER_PRODUCT)
    build = _seconds(lambda: built().close())
    before = _resident()
    began = time.perf_counter()
    again = built()
    again_s = time.perf_counter() - began
    for work in again.maintain():
        # A graph that lies on the disk is read into memory.
        work(lambda: False)()
    view: Any = again.view("default")
    hits, times = [], []
    for query in queries[:20]:
        view.search(query[None], _K, None)
    for query, exact in zip(queries, right, strict=True):
        began = time.perf_counter()
        ((seqs, _),) = view.search(query[None], _K, None)
        times.append((time.perf_counter() - began) * 1000)
        hits.append(len(set(seqs.tolist()) & set((exact + 1).tolist())) / _K)
    few = _few(view, queries)
    memory = _resident() - before
    again.close()
    sealed = view.sealed
    return {
        "recall": float(np.mean(hits)),
        "effort": sealed.effort if hasattr(sealed, "effort") else sealed.tuned.effort,
        "p50_ms": statistics.median(times),
        "p99_ms": float(np.quantile(times, 0.99)),
        "filtered_ms": few,
        "build_s": build,
        "again_s": again_s,
        "memory_mib": memory,
    }


def _few(view: Any, queries: Vectors) -> float:
    """The median milliseconds of a search under a filter that each hundredth document passes."""
    allowed = view.select(filters.parse({"n": 0}), lambda _, seqs: seqs % 100 == 0)
    times = [_seconds(partial(view.search, query[None], _K, allowed)) for query in queries[:100]]
    return statistics.median(times) * 1000


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _bytes_below(folder: Path) -> int:
    """Bytes of the files in a folder, which may be missing."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _bytes_in(database: Database) -> int:
    """Bytes of all tables and indexes of the database's schema."""
    with database.read() as connection:
        row = connection.execute(_BYTES).fetchone()
    return int(row[0]) if row else 0


def _resident() -> float:
    """MiB of memory of this process."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
