"""Builds and measures one index of nearest neighbours, in an environment that has its library.

`python -m benchmarks.peers.MODULE NAME FOLDER RECALL` prints JSON. MODULE calls `main` with its indexes. FOLDER holds
`vectors.npy` (n, dimensions), `queries.npy` (m, dimensions) and `right.npy` (m, 10), the rows of the queries' nearest
vectors. Unless the index sets its effort itself, the effort is the least at which recall@10 is at least RECALL; it is
sought in steps of a quarter.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

K = 10
_EFFORTS = sorted({round(1.25**n) for n in range(44)})
# All graphs have Instar's number of links and effort of building.
LINKS = 32
BUILD_EFFORT = 128
_SECONDS = 3.0
_CLIENTS = 32
Search = Callable[[Any], Any]
# A function that makes a search with an effort, the effort if the index sets it itself, and further results.
Built = tuple[Callable[[int], Search], int | None, dict[str, Any]]


def main(indexes: Mapping[str, Callable[[Any], Built]], *, together: bool = False) -> None:
    """Build, find the effort, measure, and print. With `together`, one call searches the queries of many clients."""
    name, folder, wanted = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    queries, right = np.load(folder / "queries.npy"), np.load(folder / "right.npy")
    before = _own_bytes()
    began = time.perf_counter()
    with_effort, own_effort, more = indexes[name](vectors)
    build = time.perf_counter() - began
    figures: dict[str, Any] = {"name": name, "build_s": build, "bytes": (_own_bytes() - before) / len(vectors), **more}
    for effort in [own_effort] if own_effort is not None else _EFFORTS:
        search = with_effort(effort)
        figures["recall"] = _recall(search, queries, right)
        figures["effort"] = effort
        if figures["recall"] >= wanted:
            break
    figures["one"] = _rate(search, queries, clients=1)
    figures["many"] = _rate(search, queries, asking=_CLIENTS) if together else _rate(search, queries, clients=_CLIENTS)
    print(json.dumps(figures))


def _recall(search: Search, queries: Any, right: Any) -> float:
    hits = [
        len(set(search(query[None]).ravel().tolist()) & set(row.tolist()))
        for query, row in zip(queries, right, strict=True)
    ]
    return float(np.mean(hits)) / K


def _rate(search: Search, queries: Any, clients: int = 1, asking: int = 1) -> float:
    """Queries answered in a second, by `clients` threads that send `asking` queries in one call."""
    done = [0] * clients
    end = time.perf_counter() + _SECONDS

    def ask(client: int) -> None:
        number = client
        while time.perf_counter() < end:
            search(queries[np.arange(number, number + asking) % len(queries)])
            number += asking
        done[client] = number - client

    threads = [threading.Thread(target=ask, args=(client,)) for client in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - began)


def _own_bytes() -> int:
    """The memory of this process without mapped files, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("RssAnon")).split()[1])
