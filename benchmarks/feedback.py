"""`make bench-feedback`: events a second that are durable, and what a search pays for the search log.

One service is searched in short rounds, in turns with `"log": false` and with the log, and each round is compared with
its neighbour. Two services would differ by more than the log costs, each by the layout of its memory. The ratio of
rounds without the log among themselves says how much of a difference is noise.
"""

import argparse
import http.client
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np

from benchmarks import base, growth, machine, service, texts
from benchmarks.service import Service

RESULTS = Path(__file__).parent / "results" / "feedback.json"
_DOCUMENTS = 2000
_CLIENTS = (1, 8)
# Clients, and the events in each of their requests.
_SENDING = ((1, 1), (16, 1), (16, 100))
_EVENTS_SECONDS = 5.0
# After a round, the time in which the log writes the last searches of it.
_WRITING_SECONDS = 0.7


@dataclass(frozen=True)
class Round:
    """The searches of one round: milliseconds that half of them and 99% of them took at most, and their number.

    `processor` has the milliseconds of processor time that the service took for each, all its threads included.
    """

    p50: float
    p99: float
    searches: int
    processor: float


# What is compared.
_FIGURES: Sequence[Callable[[Round], float]] = (
    lambda measured: measured.p50,
    lambda measured: measured.p99,
    lambda measured: measured.processor,
)


def main() -> None:
    """Measure with a model that embeds in no time and with all-MiniLM-L6-v2, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=24, help="pairs of rounds")
    parser.add_argument("--seconds", type=float, default=3, help="length of a round")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    results: dict[str, Any] = {"machine": machine.describe(), "models": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        growth.make_static(folder / "static", 0)
        (folder / "all-MiniLM-L6-v2").symlink_to(base.folder())
        for model in ("all-MiniLM-L6-v2", "static"):
            with service.running(folder / f"{model}-data", folder, model) as started:
                service.write(started.base_url, texts.passages(_DOCUMENTS))
                service.settled(started)
                rows = [_compared(started, clients, options) for clients in _CLIENTS]
                results["models"].append({"model": model, "searches": rows})
                if model == "static":
                    results["events"] = [_events(started.base_url, clients, size) for clients, size in _SENDING]
    print(table(results))
    options.results.write_text(json.dumps(results, indent=1) + "\n")


def table(results: dict[str, Any]) -> str:
    """The results as two Markdown tables."""
    lines = [
        "| search: p50 / p99 / processor | without the log, ms | with it, ms | ratio | ratio of rounds without it |",
        "|---|---|---|---|---|",
    ]
    lines += [_line(measured["model"], row) for measured in results["models"] for row in measured["searches"]]
    lines += ["", "| clients | events in a request | durable events a second |", "|---|---|---|"]
    lines += [f"| {row['clients']} | {row['size']} | {row['events']:,.0f} |" for row in results["events"]]
    return "\n".join(lines)


def _line(model: str, row: dict[str, Any]) -> str:
    milliseconds = [" / ".join(f"{value:.2f}" for value in row[name]) for name in ("without", "with")]
    ratios = [" / ".join(f"{value:.3f}" for value in row[name]) for name in ("ratio", "noise")]
    clients = f"{row['clients']} client{'s' * (row['clients'] > 1)}"
    return f"| {model}, {clients} | {' | '.join([*milliseconds, *ratios])} |"


def _compared(started: Service, clients: int, options: argparse.Namespace) -> dict[str, Any]:
    """Search in turns. A ratio is the median over the pairs of rounds."""
    _searched(started, clients, 1, log=True)
    pairs: list[tuple[Round, Round]] = []
    for number in range(options.rounds):
        order = (False, True) if number % 2 else (True, False)
        rounds = {log: _searched(started, clients, options.seconds, log=log) for log in order}
        pairs.append((rounds[False], rounds[True]))
    plain, logged = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return {
        "clients": clients,
        "without": _medians(plain),
        "with": _medians(logged),
        "ratio": _ratios(logged, plain),
        "noise": _ratios(plain[1::2], plain[::2]),
        "searches": sum(each.searches for each in logged),
    }


def _medians(rounds: Sequence[Round]) -> list[float]:
    return [statistics.median(figure(each) for each in rounds) for figure in _FIGURES]


def _ratios(rounds: Sequence[Round], others: Sequence[Round]) -> list[float]:
    pairs = list(zip(rounds, others, strict=True))
    return [statistics.median(figure(one) / figure(other) for one, other in pairs) for figure in _FIGURES]


def _searched(started: Service, clients: int, seconds: float, *, log: bool) -> Round:
    """Search for so long, each client one search after the other."""
    questions, took = texts.questions(), []
    before, until = _processor(started), time.monotonic() + seconds

    def search(client: int) -> None:
        connection = http.client.HTTPConnection(urlsplit(started.base_url).netloc, timeout=60)
        number = client
        while time.monotonic() < until:
            query = f"{questions[number % len(questions)]} {number}"
            body = {"query": query, "user": f"u-{number % 50}", "log": log}
            began = time.perf_counter()
            connection.request("POST", "/search", json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
            took.append(time.perf_counter() - began)
            if response.status != http.client.OK:
                raise RuntimeError(f"a search was answered {response.status}")
            number += clients

    _in_threads(search, clients)
    p50, p99 = np.percentile(took, [50, 99]) * 1000
    time.sleep(_WRITING_SECONDS)
    return Round(float(p50), float(p99), len(took), (_processor(started) - before) / len(took) * 1000)


def _processor(started: Service) -> float:
    """The seconds of processor time that the service has taken."""
    times = started.process.cpu_times()
    return times.user + times.system


def _events(address: str, clients: int, size: int) -> dict[str, Any]:
    """Send clicks on results of searches, `size` in a request, and count those that were answered."""
    reply = httpx.post(f"{address}/search", json={"query": texts.questions()[0]}).raise_for_status().json()
    event = {"search": reply["search"], "action": "click", "document": reply["results"][0]["id"]}
    durable: list[int] = []
    began = time.monotonic()

    def send(client: int) -> None:
        with httpx.Client(base_url=address, timeout=60) as connection:
            number = 0
            while time.monotonic() - began < _EVENTS_SECONDS:
                events = [event | {"id": f"{clients}-{size}-{client}-{number + each}"} for each in range(size)]
                answer = connection.post("/feedback", json={"events": events}).raise_for_status().json()
                durable.append(answer["accepted"])
                number += size

    _in_threads(send, clients)
    return {"clients": clients, "size": size, "events": sum(durable) / (time.monotonic() - began)}


def _in_threads(work: Any, count: int) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
