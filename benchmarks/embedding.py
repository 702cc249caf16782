"""`make bench-embedding`: embeddings over HTTP, beside the peers, in one run on one machine.

All servers are started. In each round, one after the other is under load while the others are paused. A figure is the
median of the rounds. wrk makes the load on the processors that the servers use. "The engine alone" is Instar's
scheduler and engine in a process without HTTP, on these texts, once in each round.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import alone, base, machine, texts, wrk
from benchmarks.peers import servers
from benchmarks.peers.servers import Running
from service.models.base import Lane

RESULTS = Path(__file__).parent / "results" / "embedding.json"
_WORDS = 160
_DOCUMENTS = 1024
_IN_A_REQUEST = 32
_WARM_SECONDS = 3
# Texts, connections, and a factor for the seconds of load: a request with documents takes seconds.
_SCENARIOS = {
    "short, 32 clients": ("short", 32, 1),
    "short, 1 client": ("short", 1, 1),
    "documents, 4 clients": ("documents", 4, 3),
}
# The lane of the engine alone, and the words of a text, by the texts; and the scenarios in whose rounds it is measured.
_ALONE: dict[str, tuple[Lane, int]] = {"short": ("interactive", 0), "documents": ("bulk", _WORDS)}
_ALONE_WITH = ("short, 32 clients", "documents, 4 clients")


def main() -> None:
    """Measure, print the tables and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--seconds", type=float, default=8, help="seconds of load for each server and scenario of a round"
    )
    parser.add_argument("--results", type=Path, default=machine.beside(RESULTS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(Path(folder), options.rounds, options.seconds)
    options.results.write_text(json.dumps(measured, indent=1) + "\n")
    print(table(measured))


def measure(folder: Path, rounds: int, seconds: float) -> dict[str, Any]:
    """Start all servers and load them in turn."""
    passages = texts.passages(_DOCUMENTS, words=_WORDS)
    measured: dict[str, Any] = {"machine": machine.describe(), "in_a_request": _IN_A_REQUEST, "loads": {}, "memory": {}}
    with ExitStack() as stack:
        running = [stack.enter_context(servers.running(peer)) for peer in servers.peers(folder)]
        for server in running:
            for texts_of, connections in (("short", 8), ("documents", 2)):
                _load(server, texts_of, passages, connections, _WARM_SECONDS)
            server.pause(paused=True)
        measured["another_model"] = [server.peer.name for server in running if server.peer.another]
        engine: dict[str, list[float]] = {texts_of: [] for texts_of in _ALONE}
        for scenario, (texts_of, connections, longer) in _SCENARIOS.items():
            loads: dict[str, list[wrk.Load]] = {server.peer.name: [] for server in running}
            for _ in range(rounds):
                for server in running:
                    server.pause(paused=False)
                    loads[server.peer.name].append(_load(server, texts_of, passages, connections, longer * seconds))
                    server.pause(paused=True)
                if scenario in _ALONE_WITH:
                    lane, words = _ALONE[texts_of]
                    engine[texts_of].append(alone.rate(base.folder(), _DOCUMENTS, lane, words=words))
            measured["loads"][scenario] = {name: _median(loads[name]) for name in loads}
        measured["memory"] = {server.peer.name: server.memory() for server in running}
    measured["alone"] = {texts_of: statistics.median(rates) for texts_of, rates in engine.items()}
    return measured


def table(measured: dict[str, Any]) -> str:
    """The results as Markdown tables, with their ratios to the best of the others."""
    lines = []
    for scenario, loads in measured["loads"].items():
        # One that answered nothing has no times.
        others = [name for name in _others(measured) if loads[name]["per_second"]]
        rate = max(loads[name]["per_second"] for name in others)
        fastest = {key: min(loads[name][key] for name in others) for key in ("p50", "p99")}
        lines += [
            f"**{scenario}**" + (f", {measured['in_a_request']} in a request" if "documents" in scenario else ""),
            "",
            "| server | requests/s | to the others' best | p50 ms | to best | p99 ms | to best | failures |",
            "|---|---|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {name} | {load['per_second']:.1f} | {load['per_second'] / rate:.2f}x | {load['p50']:.1f} |"
            f" {load['p50'] / fastest['p50']:.2f}x | {load['p99']:.1f} | {load['p99'] / fastest['p99']:.2f}x |"
            f" {load['failures']} |"
            if load["per_second"]
            else f"| {name} | none was answered in this time | | | | | | {load['failures']} |"
            for name, load in loads.items()
        ]
        lines.append("")
    short = measured["loads"]["short, 32 clients"]["Instar"]["per_second"]
    documents = measured["loads"]["documents, 4 clients"]["Instar"]["per_second"] * measured["in_a_request"]
    engine = measured["alone"]
    lines += [
        "| texts | the engine alone, texts/s | over HTTP | share |",
        "|---|---|---|---|",
        f"| short | {engine['short']:.0f} | {short:.0f} | {short / engine['short']:.0%} |",
        f"| documents | {engine['documents']:.1f} | {documents:.1f} | {documents / engine['documents']:.0%} |",
        "",
        "| server | memory of its own, MiB |",
        "|---|---|",
        *(f"| {name} | {held / (1 << 20):,.0f} |" for name, held in measured["memory"].items()),
    ]
    return "\n".join(lines)


def summary(measured: dict[str, Any]) -> str:
    """The most important results as a Markdown table: Instar beside the best figures of the others."""
    instar = [name for name in measured["memory"] if name.startswith("Instar")]
    others = _others(measured)
    in_a_request = measured["in_a_request"]

    shown = (
        ("questions/s, 32 clients", "short, 32 clients", "per_second", 1, max),
        ("their p99, ms", "short, 32 clients", "p99", 1, min),
        ("a question's p50 for 1 client, ms", "short, 1 client", "p50", 1, min),
        (f"documents/s, {in_a_request} in a request", "documents, 4 clients", "per_second", in_a_request, max),
    )
    lines = [f"| | {' | '.join(instar)} | best of the others |", "|---" * (len(instar) + 2) + "|"]

    def add(title: str, figures: dict[str, float], choose: Callable[[Iterable[float]], float], form: str) -> None:
        best = choose(figures[name] for name in others if figures[name])
        cells = [f"{figures[name]:{form}} ({figures[name] / best:.2f}x)" for name in instar]
        lines.append(f"| {title} | {' | '.join(cells)} | {best:{form}} |")

    for title, scenario, key, factor, choose in shown:
        add(title, {name: load[key] * factor for name, load in measured["loads"][scenario].items()}, choose, ".1f")
    add("memory, MiB", {name: held / 2**20 for name, held in measured["memory"].items()}, min, ",.0f")
    return "\n".join(lines)


def _others(measured: dict[str, Any]) -> list[str]:
    """The names of the servers beside Instar that have the model of Instar."""
    another = measured.get("another_model", [])
    return [name for name in measured["memory"] if not name.startswith("Instar") and name not in another]


def _load(server: Running, texts_of: str, passages: list[str], connections: int, seconds: float) -> wrk.Load:
    parts: list[Any] = (
        list(texts.questions())
        if texts_of == "short"
        else [passages[start : start + _IN_A_REQUEST] for start in range(0, len(passages), _IN_A_REQUEST)]
    )
    bodies = [json.dumps({"input": part, "model": server.peer.model}) for part in parts]
    return wrk.load(server.base_url + server.peer.path, bodies, connections=connections, seconds=seconds)


def _median(loads: list[wrk.Load]) -> dict[str, float]:
    rounds = [asdict(load) for load in loads]
    return {name: statistics.median(figures[name] for figures in rounds) for name in rounds[0]}


if __name__ == "__main__":
    main()
