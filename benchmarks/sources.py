"""`make bench-sources`: an application's sources as one collection each, or as a filter in one collection.

DocsGPT makes a source of each upload, with some hundred chunks, and searches in one source at a time. A static model
embeds thousands of documents a second, so that the times are those of everything else.
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
    """A way to tell a source from the others: the fields that requests to write, search and delete carry."""

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


# Earlier results do not have these rows.
_AFTER_WRITES: tuple[tuple[str, Callable[[dict[str, Any]], str]], ...] = (
    ("first search in a source after it is written to, ms", lambda way: f"{way['first_ms']:.1f}"),
    ("dense search p50 / p99 ms, 8 clients, after the deletes", lambda way: _percentiles(way["after_deletes"])),
)


def main() -> None:
    """Measure both ways, print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=int, default=1000)
    parser.add_argument("--chunks", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20, help="length of each round of searches")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    ways = []
    for way in _WAYS:
        with tempfile.TemporaryDirectory() as folder:
            ways.append(
                {"way": way.name, **measure(Path(folder), way, options.sources, options.chunks, options.seconds)}
            )
    results = {"machine": machine.describe(), "sources": options.sources, "chunks": options.chunks, "ways": ways}
    print(table(results))
    options.results.write_text(json.dumps(results, indent=1) + "\n")


def table(results: dict[str, Any]) -> str:
    """The results as a Markdown table."""
    rows: list[tuple[str, Callable[[dict[str, Any]], str]]] = [
        ("documents written a second, a source in a request", lambda way: f"{way['written']:,.0f}"),
        ("the same, one in a request", lambda way: f"{way['written_singly']:,.0f}"),
        *(
            (
                f"{row['mode']} search p50 / p99 ms, {row['clients']} client{'s' * (row['clients'] > 1)}",
                _latency(number),
            )
            for number, row in enumerate(results["ways"][0]["searches"])
        ),
        ("delete a source, ms", lambda way: f"{way['delete_ms']:.1f}"),
        *(_AFTER_WRITES if "after_deletes" in results["ways"][0] else ()),
        ("reload, s", lambda way: f"{way['reload_s']:.1f}"),
        ("writes wait for the switch, ms", lambda way: f"{way['switch_ms']:.1f}"),
        ("restart, s", lambda way: f"{way['restart_s']:.1f}"),
        ("memory, MiB", lambda way: f"{way['memory'] / 2**20:,.0f}"),
        ("GET /info, ms", lambda way: f"{way['info_ms']:.1f}"),
    ]
    heads = (
        f"{results['sources']:,} sources of {results['chunks']} documents",
        *(way["way"] for way in results["ways"]),
    )
    lines = [
        f"| {' | '.join(heads)} |",
        "|---" * len(heads) + "|",
    ]
    lines += [f"| {name} | {' | '.join(shown(way) for way in results['ways'])} |" for name, shown in rows]
    return "\n".join(lines)


def measure(folder: Path, way: Way, sources: int, chunks: int, seconds: float) -> dict[str, Any]:
    """Write all sources, search in them, delete some, reload, and start again."""
    for seed, name in enumerate(_MODELS):
        growth.make_static(folder / name, seed)
    names = [str(uuid.UUID(int=number)) for number in range(sources)]
    passages = texts.passages(sources * chunks, words=_WORDS)
    results: dict[str, Any] = {}
    with service.running(folder / "data", folder, _MODELS[0]) as started:
        with httpx.Client(base_url=started.base_url, timeout=600) as client:
            began = time.perf_counter()
            for number, source in enumerate(names):
                _write(client, way, source, passages[number * chunks : (number + 1) * chunks])
            results["written"] = len(passages) / (time.perf_counter() - began)
            began = time.perf_counter()
            for number, passage in enumerate(passages[:chunks]):
                _write(client, way, names[0], [passage], number)
            results["written_singly"] = chunks / (time.perf_counter() - began)
            service.settled(started)
            results["searches"] = [
                _searches(started.base_url, way, names, seconds, mode, count) for mode, count in _ROUNDS
            ]
            results["info_ms"] = statistics.median(_ms(client, "GET", "/info") for _ in range(_DELETED))
            results["delete_ms"] = statistics.median(
                _ms(client, "POST", "/documents/delete", way.delete(source)) for source in names[-_DELETED:]
            )
            results["first_ms"] = statistics.median(
                _first_search(client, way, source, passages[number]) for number, source in enumerate(names[:_DELETED])
            )
            results["after_deletes"] = _searches(started.base_url, way, names[:-_DELETED], seconds, "dense", 8)
        results["reload_s"] = service.reload(started.base_url, _MODELS[1]).seconds
        (switch,) = _SWITCHED.findall(started.log.read_text())
        results["switch_ms"] = float(switch)
    began = time.perf_counter()
    with service.running(folder / "data", folder, _MODELS[0]) as started:
        results["restart_s"] = time.perf_counter() - began
        _searches(started.base_url, way, names[:-_DELETED], seconds, *_ROUNDS[0])
        results["memory"] = started.process.memory_info().rss
    return results


def _write(client: httpx.Client, way: Way, source: str, passages: list[str], first: int = 0) -> None:
    documents = [
        {"id": f"{source}/{number}", "text": text, "metadata": {"source": "guide.md", "source_id": source}}
        for number, text in enumerate(passages, first)
    ]
    client.post("/documents", json={"documents": documents, **way.write(source)}).raise_for_status()


def _first_search(client: httpx.Client, way: Way, source: str, passage: str) -> float:
    """Replace a document of the source, and return the milliseconds of the next search in it."""
    _write(client, way, source, [f"{passage} Replaced."])
    return _ms(client, "POST", "/search", {"query": texts.questions()[0], "k": 10, "mode": "dense", **way.ask(source)})


def _searches(base_url: str, way: Way, sources: list[str], seconds: float, mode: str, count: int) -> dict[str, Any]:
    """Measure percentiles in milliseconds with `count` clients, which search in random sources."""
    questions = texts.questions()
    pick = np.random.default_rng(0)
    searches = [
        {
            "query": questions[number % len(questions)],
            "k": 10,
            "mode": mode,
            **way.ask(sources[pick.integers(len(sources))]),
        }
        for number in range(_SEARCHES)
    ]
    clients = Clients(base_url, searches, count, 0)
    time.sleep(seconds)
    seen = clients.stop()
    failures = [search.failure for search in seen if search.failure]
    if failures:
        raise RuntimeError(f"{len(failures)} searches failed, the first with {failures[0]}")
    p50, p99 = np.percentile([search.seconds * 1000 for search in seen], (50, 99))
    return {"mode": mode, "clients": count, "p50": float(p50), "p99": float(p99), "rate": len(seen) / seconds}


def _latency(number: int) -> Callable[[dict[str, Any]], str]:
    def shown(way: dict[str, Any]) -> str:
        return _percentiles(way["searches"][number])

    return shown


def _percentiles(row: dict[str, Any]) -> str:
    return f"{row['p50']:.1f} / {row['p99']:.1f}"


def _ms(client: httpx.Client, method: str, path: str, body: dict[str, Any] | None = None) -> float:
    began = time.perf_counter()
    client.request(method, path, json=body).raise_for_status()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
