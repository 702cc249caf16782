"""`make bench-sources`: sources of an application as collections of their own, and as a filter in one collection.

DocsGPT has a source for each upload, some hundred chunks each, and searches one at a time. A static model embeds
thousands of documents a second, so that what is seen is everything else.
"""

import argparse
import json
import re
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks import growth, machine, service, texts
from benchmarks.clients import Clients

RESULTS = Path(__file__).parent / "results" / "sources.json"
_MODELS = ("first", "second")
_WORDS = 40
_SEARCHES = 20_000
_ROUNDS = (("dense", 1), ("dense", 8), ("keyword", 1), ("keyword", 8))
_DELETED = 20
_SWITCHED = re.compile(r"generation 2 of .* is active with \d+ documents; writes waited ([\d.]+) ms")


@dataclass(frozen=True)
class Way:
    """How a source is told from the others: fields of a request, of the write and of what asks for it."""

    name: str
    write: Callable[[str], dict[str, Any]]
    ask: Callable[[str], dict[str, Any]]
    delete: Callable[[str], dict[str, Any]]


def _filter(source: str) -> dict[str, Any]:
    return {"filter": {"source_id": source}}


def _collection(source: str) -> dict[str, Any]:
    return {"collection": source}


_WAYS = (
    Way("a collection each", _collection, _collection, lambda source: _collection(source) | _filter(source)),
    Way("a filter in one collection", lambda _: {}, _filter, _filter),
)


def main() -> None:
    """Measure both, print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=int, default=1000)
    parser.add_argument("--chunks", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20, help="length of each round of searches")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    ways = []
    for way in _WAYS:
        with tempfile.TemporaryDirectory() as folder:
            ways.append({"way": way.name, **measure(Path(folder), way, given.sources, given.chunks, given.seconds)})
    found = {"machine": machine.describe(), "sources": given.sources, "chunks": given.chunks, "ways": ways}
    print(table(found))
    given.results.write_text(json.dumps(found, indent=1) + "\n")


def table(found: dict[str, Any]) -> str:
    """The figures as a reader wants them."""
    rows: list[tuple[str, Callable[[dict[str, Any]], str]]] = [
        ("documents written a second, a source in a request", lambda way: f"{way['written']:,.0f}"),
        ("the same, one in a request", lambda way: f"{way['written_singly']:,.0f}"),
        *(
            (f"{row['mode']} search p50 / p99 ms, {row['clients']} client{'s' * (row['clients'] > 1)}", _latency(place))
            for place, row in enumerate(found["ways"][0]["searches"])
        ),
        ("delete a source, ms", lambda way: f"{way['delete_ms']:.1f}"),
        ("reload, s", lambda way: f"{way['reload_s']:.1f}"),
        ("writes wait for the switch, ms", lambda way: f"{way['switch_ms']:.1f}"),
        ("restart, s", lambda way: f"{way['restart_s']:.1f}"),
        ("memory, MiB", lambda way: f"{way['memory'] / 2**20:,.0f}"),
        ("GET /info, ms", lambda way: f"{way['info_ms']:.1f}"),
    ]
    heads = (f"{found['sources']:,} sources of {found['chunks']} documents", *(way["way"] for way in found["ways"]))
    lines = [
        f"| {' | '.join(heads)} |",
        "|---" * len(heads) + "|",
    ]
    lines += [f"| {name} | {' | '.join(shown(way) for way in found['ways'])} |" for name, shown in rows]
    return "\n".join(lines)


def measure(folder: Path, way: Way, sources: int, chunks: int, seconds: float) -> dict[str, Any]:
    """Write all sources, search them, delete some, reload, and start again."""
    for seed, name in enumerate(_MODELS):
        growth.make_static(folder / name, seed)
    names = [str(uuid.UUID(int=number)) for number in range(sources)]
    passages = texts.passages(sources * chunks, words=_WORDS)
    found: dict[str, Any] = {}
    with service.running(folder / "data", folder, _MODELS[0]) as started:
        with httpx.Client(base_url=started.base_url, timeout=600) as client:
            began = time.perf_counter()
            for place, source in enumerate(names):
                _write(client, way, source, passages[place * chunks : (place + 1) * chunks])
            found["written"] = len(passages) / (time.perf_counter() - began)
            began = time.perf_counter()
            for number, passage in enumerate(passages[:chunks]):
                _write(client, way, names[0], [passage], number)
            found["written_singly"] = chunks / (time.perf_counter() - began)
            service.settled(started)
            found["searches"] = [_searches(started.base_url, way, names, seconds, *each) for each in _ROUNDS]
            found["info_ms"] = statistics.median(_ms(client, "GET", "/info") for _ in range(_DELETED))
            found["delete_ms"] = statistics.median(
                _ms(client, "POST", "/documents/delete", way.delete(source)) for source in names[-_DELETED:]
            )
        found["reload_s"] = service.reload(started.base_url, _MODELS[1]).seconds
        (switch,) = _SWITCHED.findall(started.log.read_text())
        found["switch_ms"] = float(switch)
    began = time.perf_counter()
    with service.running(folder / "data", folder, _MODELS[0]) as started:
        found["restart_s"] = time.perf_counter() - began
        _searches(started.base_url, way, names[:-_DELETED], seconds, *_ROUNDS[0])
        found["memory"] = started.process.memory_info().rss
    return found


def _write(client: httpx.Client, way: Way, source: str, passages: list[str], first: int = 0) -> None:
    documents = [
        {"id": f"{source}/{number}", "text": text, "metadata": {"source": "guide.md", "source_id": source}}
        for number, text in enumerate(passages, first)
    ]
    client.post("/documents", json={"documents": documents, **way.write(source)}).raise_for_status()


def _searches(base_url: str, way: Way, sources: list[str], seconds: float, mode: str, count: int) -> dict[str, Any]:
    """Percentiles in milliseconds of so many clients that search sources at random, one after the other."""
    questions = texts.questions()
    pick = np.random.default_rng(0)
    asked = [
        {
            "query": questions[number % len(questions)],
            "k": 10,
            "mode": mode,
            **way.ask(sources[pick.integers(len(sources))]),
        }
        for number in range(_SEARCHES)
    ]
    clients = Clients(base_url, asked, count, 0)
    time.sleep(seconds)
    seen = clients.stop()
    failures = [search.failure for search in seen if search.failure]
    if failures:
        raise RuntimeError(f"{len(failures)} searches failed, the first with {failures[0]}")
    p50, p99 = np.percentile([search.seconds * 1000 for search in seen], (50, 99))
    return {"mode": mode, "clients": count, "p50": float(p50), "p99": float(p99), "rate": len(seen) / seconds}


def _latency(place: int) -> Callable[[dict[str, Any]], str]:
    def shown(way: dict[str, Any]) -> str:
        row = way["searches"][place]
        return f"{row['p50']:.1f} / {row['p99']:.1f}"

    return shown


def _ms(client: httpx.Client, method: str, path: str, body: dict[str, Any] | None = None) -> float:
    began = time.perf_counter()
    client.request(method, path, json=body).raise_for_status()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
