"""`make bench-replicas`: replicas on one PostgreSQL beside one process with files, on the same cores.

The first table is of searches, each replica pinned to its share of the cores and asked by clients of its own, which
run on the same cores. The second one is of three replicas: how long after the answer of a write another one shows it,
what a search takes that has seen the write, and how far the replicas are apart when the generation changes.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks import machine, service, texts
from benchmarks.clients import Clients, Search
from benchmarks.service import Service
from benchmarks.swap import make_checkpoint
from tests.support import postgres

RESULTS = Path(__file__).parent / "results" / "replicas.json"
_MODELS = ("first", "second")
_CLIENTS = 6
_REPLICAS = 3
_WARM_SECONDS = 3
# Longer than the documented second within which a write is shown.
_GIVE_UP_SECONDS = 5.0


def main() -> None:
    """Measure, print the tables and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=15, help="seconds of searches for each number of replicas")
    parser.add_argument("--writes", type=int, default=200, help="writes that another replica is to show")
    parser.add_argument("--switches", type=int, default=10)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, postgres.running() as server:
        bench = Bench(Path(folder), server.url(), options.documents)
        measured = {
            "machine": machine.describe(),
            "documents": options.documents,
            "clients": _CLIENTS,
            "loads": bench.loads(options.seconds),
            "together": bench.together(options.writes, options.switches),
        }
    print(table(measured))
    options.results.write_text(json.dumps(measured, indent=1) + "\n")


def table(measured: dict[str, Any]) -> str:
    """The results as Markdown tables."""
    alone = measured["loads"][0]["per_second"]
    together = measured["together"]
    lines = [
        f"{measured['documents']:,} documents, {measured['clients']} clients; {measured['machine']['cores']} cores,"
        f" {measured['machine']['processor']}",
        "",
        "| processes | cores of each | searches/s | to one process | p50 ms | p99 ms | failures |",
        "|---" * 7 + "|",
        *(
            f"| {row['name']} | {row['cores']} | {row['per_second']:.0f} | {row['per_second'] / alone:.2f}x |"
            f" {row['p50']:.1f} | {row['p99']:.1f} | {row['failures']} |"
            for row in measured["loads"]
        ),
        "",
        f"| {_REPLICAS} replicas | times | p50 ms | p99 ms | most ms |",
        "|---" * 5 + "|",
    ]
    lines += [
        f"| {name} | {row['count']} | {row['p50']:.1f} | {row['p99']:.1f} | {row['most']:.1f} |"
        for name, row in together.items()
    ]
    return "\n".join(lines)


class Bench:
    """One corpus in files, and the same one in PostgreSQL at `url`; all data lies in `folder`."""

    def __init__(self, folder: Path, url: str, documents: int) -> None:
        self._folder = folder
        self._url = url
        self._passages = texts.passages(documents)
        self._checkpoints = folder / "checkpoints"
        for seed, name in enumerate(_MODELS):
            make_checkpoint(self._checkpoints / name, seed)

    def loads(self, seconds: float) -> list[dict[str, Any]]:
        """Searches of one process with files and all cores, and of one, two and three replicas that share the cores."""
        with self._files() as alone:
            rows = [{"name": "one, files", "cores": len(_cores()), **_load([alone.base_url], seconds)}]
        for count in range(1, _REPLICAS + 1):
            shares = shares_of(_cores(), count)
            with self._replicas(shares) as started:
                figures = _load([replica.base_url for replica in started], seconds)
            cores = ", ".join(str(len(share)) for share in shares)
            rows.append({"name": f"{count}, PostgreSQL", "cores": cores, **figures})
        return rows

    def together(self, writes: int, switches: int) -> dict[str, dict[str, float]]:
        """What a client notices that asks one replica after another."""
        with self._replicas(shares_of(_cores(), _REPLICAS)) as started:
            urls = [replica.base_url for replica in started]
            shown, seen = _visible(urls, writes)
            skews = [_skew(urls, _MODELS[(number + 1) % len(_MODELS)]) for number in range(switches)]
        figures = {
            "a write is shown by another replica": shown,
            "a search that has seen the write is answered": seen,
            "the last replica switches after the first": skews,
        }
        return {name: _spread(times) for name, times in figures.items() if times}

    @contextmanager
    def _files(self) -> Iterator[Service]:
        with service.running(self._folder / "alone", self._checkpoints, _MODELS[0], MODE="hybrid") as started:
            service.write(started.base_url, self._passages)
            yield started

    @contextmanager
    def _replicas(self, shares: Sequence[set[int]]) -> Iterator[list[Service]]:
        """Run a replica on each share of the cores. The first ones ever write the documents."""
        with ExitStack() as stack:
            started = [
                stack.enter_context(self._replica(f"replica-{number}", share))
                for number, share in enumerate(shares, start=1)
            ]
            if not httpx.get(f"{started[0].base_url}/collections").json()["collections"]:
                service.write(started[0].base_url, self._passages)
            yield started

    @contextmanager
    def _replica(self, name: str, cores: set[int]) -> Iterator[Service]:
        settings = {
            "MODE": "hybrid",
            "STORE": self._url,
            "REPLICAS__NAME": name,
            "REPLICAS__SECRETS_DIR": str(self._folder),
        }
        with ExitStack() as stack:
            with _pinned(cores):
                started = stack.enter_context(
                    service.running(self._folder / name, self._checkpoints, _MODELS[0], **settings)
                )
            yield started


def shares_of(cores: Sequence[int], count: int) -> list[set[int]]:
    """Deal the cores out to `count` processes. Where there are more processes, several have the same core."""
    return [set(cores[number % len(cores) :: count]) for number in range(count)]


def _load(urls: Sequence[str], seconds: float) -> dict[str, float]:
    """The searches of all clients, which are dealt out to the replicas."""
    searches = [{"query": question} for question in texts.questions()]
    clients = [
        Clients(url, searches, len(range(number, _CLIENTS, len(urls))), think=0) for number, url in enumerate(urls)
    ]
    time.sleep(_WARM_SECONDS)
    began = time.monotonic()
    time.sleep(seconds)
    ended = time.monotonic()
    answered: list[Search] = [search for each in clients for search in each.stop()]
    timed = [search for search in answered if began <= search.began < ended]
    milliseconds = [search.seconds * 1000 for search in timed if not search.failure]
    return {
        "per_second": len(milliseconds) / (ended - began),
        "p50": float(np.percentile(milliseconds, 50)),
        "p99": float(np.percentile(milliseconds, 99)),
        "failures": sum(bool(search.failure) for search in timed),
    }


def _visible(urls: Sequence[str], writes: int) -> tuple[list[float], list[float]]:
    """Milliseconds from the answer of a write to the beginning of the first search of another replica that shows it.

    And those that a search takes there which sends along that it has seen the write.
    """
    shown: list[float] = []
    seen: list[float] = []
    with httpx.Client(timeout=60) as client:
        for number in range(writes):
            for times, has_seen in ((shown, False), (seen, True)):
                writer, reader = (urls[(number + step) % len(urls)] for step in (0, 1))
                identity = f"written {number} {has_seen}"
                body = {"documents": [{"id": identity, "text": f"the text that was {identity}"}]}
                answer = client.post(f"{writer}/documents", json=body).raise_for_status()
                answered = time.perf_counter()
                headers = {"X-Instar-Seen": answer.headers["X-Instar-Seen"]} if has_seen else {}
                began = _first_search_with(client, reader, identity, headers)
                # The search itself is a part of the second figure alone.
                times.append(((time.perf_counter() if has_seen else began) - answered) * 1000)
    return shown, seen


def _first_search_with(client: httpx.Client, url: str, identity: str, headers: dict[str, str]) -> float:
    """Search until the document is there, and return when that search began. Raises RuntimeError if it stays away."""
    give_up = time.perf_counter() + _GIVE_UP_SECONDS
    while (began := time.perf_counter()) < give_up:
        body = {"query": identity, "mode": "keyword", "k": 20}
        results = client.post(f"{url}/search", json=body, headers=headers).raise_for_status().json()["results"]
        if identity in [result["id"] for result in results]:
            return began
        if headers:
            raise RuntimeError("a search that had seen the write did not show it: run tests/replicas to see why")
    raise RuntimeError(f"{url} did not show a write in {_GIVE_UP_SECONDS} s: look at /ready there")


def _skew(urls: Sequence[str], model: str) -> float:
    """Reload while each replica is searched: the milliseconds between the first answer of the generation that comes
    and the beginning of the last search that any replica answered by the one that goes, or 0."""
    former = httpx.get(f"{urls[0]}/info").json()["generation"]
    searching = [Clients(url, [{"query": "parcel", "mode": "keyword"}], 1, think=0.001) for url in urls]
    time.sleep(0.5)
    service.reload(urls[0], model, force=True)
    time.sleep(1.5)
    searches = [search for client in searching for search in client.stop() if not search.failure]
    first = min(search.began + search.seconds for search in searches if search.generation != former)
    last = max(search.began for search in searches if search.generation == former)
    return max(0.0, last - first) * 1000


def _spread(milliseconds: Sequence[float]) -> dict[str, float]:
    return {
        "count": len(milliseconds),
        "p50": statistics.median(milliseconds),
        "p99": float(np.percentile(milliseconds, 99)),
        "most": max(milliseconds),
    }


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))


@contextmanager
def _pinned(cores: set[int]) -> Iterator[None]:
    """Within the block, what is started runs on these cores alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


if __name__ == "__main__":
    main()
