"""One index of nearest neighbours, built and measured, in an environment that has its library.

`python -m benchmarks.peers.MODULE NAME FOLDER RECALL`, with a module that has indexes for `main`. The folder holds
`vectors.npy` (n, dimensions), `queries.npy` and `right.npy`, the places of the queries' ten nearest. Prints JSON. The
effort is the least, rising by a quarter, at which recall@10 is at least RECALL, unless the index sets it itself.
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
# Of every graph, those of Instar.
LINKS = 32
BUILD_EFFORT = 128
_SECONDS = 3.0
_CLIENTS = 32
Search = Callable[[Any], Any]
# How to search with an effort, the effort if there is none to choose, and what else is to be told.
Built = tuple[Callable[[int], Search], int | None, dict[str, Any]]


def main(indexes: Mapping[str, Callable[[Any], Built]], *, together: bool = False) -> None:
    """Build, find the effort, measure, and print; `together` has the queries of many clients searched in one call."""
    name, folder, wanted = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    queries, right = np.load(folder / "queries.npy"), np.load(folder / "right.npy")
    before = _own_bytes()
    began = time.perf_counter()
    efforts, first, more = indexes[name](vectors)
    build = time.perf_counter() - began
    found: dict[str, Any] = {"name": name, "build_s": build, "bytes": (_own_bytes() - before) / len(vectors), **more}
    for effort in [first] if first is not None else _EFFORTS:
        search = efforts(effort)
        found["recall"] = _recall(search, queries, right)
        found["effort"] = effort
        if found["recall"] >= wanted:
            break
    found["one"] = _rate(search, queries, clients=1)
    found["many"] = _rate(search, queries, asking=_CLIENTS) if together else _rate(search, queries, clients=_CLIENTS)
    print(json.dumps(found))


def _recall(search: Search, queries: Any, right: Any) -> float:
    hits = [
        len(set(search(query[None]).ravel().tolist()) & set(row.tolist()))
        for query, row in zip(queries, right, strict=True)
    ]
    return float(np.mean(hits)) / K


def _rate(search: Search, queries: Any, clients: int = 1, asking: int = 1) -> float:
    """Searches a second of so many threads, each with so many queries at a time."""
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
    """Memory that is not a mapped file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("RssAnon")).split()[1])
