"""`make bench-recipes`: minutes of training against what they gain, on the sample, or with `--beir` on another set.

Each recipe takes the steps of a run: it mines, trains, and mixes base and tuned weights by dev. Then the test questions
are ranked over the whole corpus. Minutes are of one processor, so that what else a machine does weighs little. The
first recipe is the one that the others are held against.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer

from benchmarks import machine, tune
from trainer import base_model
from trainer.data.dataset import Dataset
from trainer.recipe import Recipe
from trainer.train import mixing, start, tuning
from trainer.train.ranking_evaluator import RankingEvaluator

RESULTS = Path(__file__).parent / "results" / "recipes.json"
_SLOW = "3 negatives, 2e-5"
NAMES = (_SLOW, "the defaults", "the defaults with 3 negatives", "the defaults at half the rate")


def main() -> None:
    """Train by each recipe, print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beir", type=Path, help="a folder in BEIR layout; none: the sample")
    parser.add_argument("--recipes", nargs="+", choices=NAMES, default=NAMES)
    options = parser.parse_args()
    name = "sample" if options.beir is None else options.beir.name
    divided = tune.dataset() if options.beir is None else tune.dataset(options.beir, "beir")
    sets = [each for each in _sets_before() if each["set"] != name]
    rows = []
    for row in measured(divided, {name: recipe(name, divided) for name in options.recipes}):
        rows.append(row)
        results = {"machine": machine.describe(), "sets": [*sets, _facts(name, divided) | {"recipes": rows}]}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))


def table(results: dict[str, Any]) -> str:
    """The results as Markdown tables."""
    lines = []
    for measured_set in results["sets"]:
        first = measured_set["recipes"][0]
        lines += [
            f"{measured_set['set']}: {measured_set['train']:,} training questions, {measured_set['test']:,} test"
            f" questions, {measured_set['documents']:,} documents; nDCG@10 of the base {first['base']:.3f}",
            "",
            "| recipe | rows | passes | rate | minutes of a processor | of the first | nDCG@10 | of its gain |",
            "|---" * 8 + "|",
        ]
        lines += [
            f"| {row['recipe']} | {row['rows']:,} | {row['passes']:g} | {row['rate']:.0e} | {row['seconds'] / 60:.1f} |"
            f" {row['seconds'] / first['seconds']:.2f} | {row['tuned']:.3f} |"
            f" {(row['tuned'] - row['base']) / (first['tuned'] - first['base']):.0%} |"
            for row in measured_set["recipes"]
        ]
        lines.append("")
    return "\n".join(lines[:-1])


def recipe(name: str, data: Dataset) -> Recipe:
    """The recipe of this name. The slow one sees 12,000 rows, in 3 to 10 passes."""
    pairs = sum(map(len, data.good("train").values()))
    return {
        _SLOW: Recipe(negatives=3, learning_rate=2e-5, epochs=max(3, min(10, -(-12_000 // pairs)))),
        "the defaults": Recipe(),
        "the defaults with 3 negatives": Recipe(negatives=3),
        "the defaults at half the rate": Recipe(learning_rate=5e-5),
    }[name]


def measured(data: Dataset, recipes: Mapping[str, Recipe]) -> Iterator[dict[str, Any]]:
    """Take the steps of a run by each of the recipes."""
    test = RankingEvaluator(data, data.good("test"), "fp32")
    for name, taken in recipes.items():
        with start.opened(taken, allow_hub=False) as models, tempfile.TemporaryDirectory() as folder:
            base = test.ndcg(base_model.load(models.base))
            began = time.process_time()
            tuned = tuning.tune(models, data, Path(folder), resume=False, quiet=True)
            mixing.mix(tuned, models, None, 0)
            seconds = time.process_time() - began
            assert isinstance(tuned.model, SentenceTransformer)  # noqa: S101 (no recipe here is for a reranker)
            yield {
                "recipe": name,
                "rows": tuned.decisions["rows"],
                "passes": tuned.decisions["epochs"],
                "rate": tuned.decisions["learning_rate"],
                "seconds": seconds,
                "base": base,
                "tuned": test.ndcg(tuned.model),
            }


def _facts(name: str, data: Dataset) -> dict[str, Any]:
    return {
        "set": name,
        "train": len(data.good("train")),
        "test": len(data.good("test")),
        "documents": len(data.corpus),
    }


def _sets_before() -> list[dict[str, Any]]:
    return list(json.loads(RESULTS.read_text())["sets"]) if RESULTS.exists() else []


if __name__ == "__main__":
    main()
