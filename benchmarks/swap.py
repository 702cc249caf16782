"""`make bench-swap`: search latency and failures before, during and after a reload, and the speed of the reload.

Before clients search, the encoder is measured alone with the service's batches, and one reload is made while nobody
searches. So all figures that are compared come from one run.
"""

import argparse
import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from benchmarks import alone, base, machine, service, swap_plot, texts
from benchmarks.clients import Clients, Search

RESULTS = Path(__file__).parent / "results" / "swap.json"
_MODELS = ("first", "second", "third")
_SHOWN_POINTS = 4000
# Thousands of points, which the picture shows and no table needs.
_POINTS = ("searches", "progress")
# Documents for the encoder alone. They take it some ten seconds; fewer gave rates that differed by a tenth.
_ALONE = 2048


def main() -> None:
    """Measure, print the table, write the results and the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--think-ms", type=float, default=100, help="pause of a client between two searches")
    parser.add_argument("--seconds", type=float, default=30, help="length of the phases before and after")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(Path(folder), options.documents, options.clients, options.think_ms / 1000, options.seconds)
    print(table(measured))
    options.results.parent.mkdir(parents=True, exist_ok=True)
    summary = {name: figures for name, figures in measured.items() if name not in _POINTS}
    options.results.write_text(json.dumps(summary, indent=1) + "\n")
    if options.results == RESULTS:
        swap_plot.MEASURED.write_text(json.dumps(measured) + "\n")
        swap_plot.draw(measured, swap_plot.PICTURE)


def measure(folder: Path, documents: int, clients: int, think: float, seconds: float) -> dict[str, Any]:
    """Run the whole benchmark in `folder`."""
    for seed, name in enumerate(_MODELS):
        make_checkpoint(folder / name, seed)
    passages = texts.passages(documents)
    engine = alone.rate(folder / _MODELS[0], min(documents, _ALONE), "bulk", words=90)
    with service.running(folder / "data", folder, _MODELS[0]) as started:
        base_url = started.base_url
        service.write(base_url, passages)
        idle = service.reload(base_url, _MODELS[1])
        searching = Clients(base_url, [{"query": question, "k": 10} for question in texts.questions()], clients, think)
        time.sleep(seconds)
        began = time.monotonic()
        loaded = service.reload(base_url, _MODELS[2])
        ended = time.monotonic()
        time.sleep(seconds)
        searches = searching.stop()
    activated = next(search.began for search in searches if search.generation == searches[-1].generation)
    phases = {
        "before": [search for search in searches if search.began < began],
        "during": [search for search in searches if began <= search.began < ended],
        "after": [search for search in searches if search.began >= ended],
    }
    step = max(1, len(searches) // _SHOWN_POINTS)
    zero = searches[0].began
    return {
        "machine": machine.describe(),
        "documents": documents,
        "clients": clients,
        "think_ms": think * 1000,
        "phases": {name: _summary(seen) for name, seen in phases.items()},
        "documents_per_second": {
            "encoder alone": engine,
            "reload, idle": idle.rate,
            "reload, under load": loaded.rate,
        },
        "reload_seconds": {"reload, idle": idle.seconds, "reload, under load": loaded.seconds},
        "progress": loaded.progress,
        "reload": [began - zero, ended - zero],
        "activated": activated - zero,
        "searches": [
            asdict(search) | {"began": search.began - zero}
            for number, search in enumerate(searches)
            if number % step == 0 or search.failure
        ],
    }


def table(measured: dict[str, Any]) -> str:
    """The results as Markdown tables."""
    rows = [
        f"{measured['documents']} documents, {measured['clients']} clients that pause {measured['think_ms']:.0f} ms;"
        f" {measured['machine']['cores']} cores, {measured['machine']['processor']}",
        "",
        "| phase | searches | per second | failures | p50 ms | p95 ms | p99 ms | p99 to before |",
        "|---|---|---|---|---|---|---|---|",
    ]
    before = measured["phases"]["before"]["p99"]
    rows += [
        f"| {name} | {phase['searches']} | {phase['per_second']:.0f} | {phase['failures']} | {phase['p50']:.1f} |"
        f" {phase['p95']:.1f} | {phase['p99']:.1f} | {phase['p99'] / before:.2f}x |"
        for name, phase in measured["phases"].items()
    ]
    rates = measured["documents_per_second"]
    rows += [
        "",
        "| embedding | documents/s | share of the encoder alone | from the call to the end, s |",
        "|---" * 4 + "|",
    ]
    rows += [
        f"| {name} | {rate:.1f} | {rate / rates['encoder alone']:.0%} |"
        f" {measured['reload_seconds'].get(name, float('nan')):.0f} |".replace("nan", "")
        for name, rate in rates.items()
    ]
    return "\n".join(rows)


def _summary(searches: list[Search]) -> dict[str, float]:
    milliseconds = [search.seconds * 1000 for search in searches if not search.failure]
    p50, p95, p99 = np.percentile(milliseconds, [50, 95, 99]).tolist()
    span = searches[-1].began - searches[0].began
    failures = sum(bool(search.failure) for search in searches)
    return {
        "searches": len(searches),
        "per_second": len(searches) / span,
        "failures": failures,
        "p50": p50,
        "p95": p95,
        "p99": p99,
        "slowest": max(milliseconds),
    }


def make_checkpoint(folder: Path, seed: int) -> None:
    """Save the base model with noise on its weights: a twentieth of the spread of each tensor."""
    model = SentenceTransformer(str(base.folder()), device="cpu")
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(0.05 * parameter.std().nan_to_num() * noise)
    model.save_pretrained(str(folder), create_model_card=False)


if __name__ == "__main__":
    main()
