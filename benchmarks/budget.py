"""`make bench-budget`: texts a second by the number of tokens in a batch.

The engine runs alone, on questions in the interactive lane and on documents in the bulk lane. If a budget far from the
default were better on some machine, the service would have to search for it at its first start. A flat curve says that
it need not.
"""

import argparse
import json
import random
import statistics
from pathlib import Path
from typing import Any

import torch

from benchmarks import base, lanes, machine, texts
from service.models.base import Lane, Side
from service.models.torch_model import device_here

RESULTS = Path(__file__).parent / "results" / "budget.json"
_BUDGETS = (16, 32, 64, 128, 256, 512, 1024, 2048)
_QUESTIONS = 1024
_DOCUMENTS = 192
# A GPU takes so many times as many tokens and texts.
_ON_GPUS = 32
_LANES: tuple[tuple[Lane, str], ...] = (("interactive", "batch_tokens"), ("bulk", "bulk_batch_tokens"))


def main() -> None:
    """Measure, print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=machine.beside(RESULTS))
    options = parser.parse_args()
    results = measure(options.rounds)
    print(table(results))
    options.results.write_text(json.dumps(results, indent=1) + "\n")


def table(results: dict[str, Any]) -> str:
    """The results as a Markdown table."""
    budgets = list(results["rates"]["bulk"])
    lines = ["| tokens in a batch | " + " | ".join(budgets) + " |", "|---" * (len(budgets) + 1) + "|"]
    for lane, _ in _LANES:
        rates = results["rates"][lane]
        best = max(rates.values())
        cells = [f"{rate:.0f} ({rate / best:.0%})" for rate in rates.values()]
        lines.append(f"| {lane} (default {results['defaults'][lane]}), texts/s | {' | '.join(cells)} |")
    return "\n".join(lines)


def measure(rounds: int) -> dict[str, Any]:
    """Measure all budgets in turn, in rounds, and return the medians."""
    more = _ON_GPUS if torch.cuda.is_available() else 1
    budgets = [budget * more for budget in _BUDGETS]
    texts_by_lane: dict[str, tuple[list[str], Side]] = {
        "interactive": (random.Random(0).choices(texts.questions(), k=_QUESTIONS * more), "query"),
        "bulk": (texts.passages(_DOCUMENTS * more), "document"),
    }
    rates: dict[str, dict[int, list[float]]] = {lane: {budget: [] for budget in budgets} for lane, _ in _LANES}
    for _ in range(rounds):
        for lane, setting in _LANES:
            chosen, side = texts_by_lane[lane]
            for budget in budgets:
                with lanes.running(base.folder(), **{setting: budget}) as (encoder, scheduler):
                    items = encoder.prepare(chosen, side)
                    rates[lane][budget].append(lanes.rate(encoder, scheduler, items, lane))
    return {
        "machine": machine.describe(),
        "defaults": device_here().tokens,
        "rates": {
            lane: {str(budget): statistics.median(measured) for budget, measured in by_budget.items()}
            for lane, by_budget in rates.items()
        },
    }


if __name__ == "__main__":
    main()
