"""`make bench-train`: rows trained in a second and the resulting quality, against sentence-transformers' defaults.

Both train on equal rows of the sample corpus with one loss and one number of epochs, one after the other in one
process. Only time within steps counts. sentence-transformers' defaults are those of
SentenceTransformerTrainingArguments: fp32, batches of 8 rows in random order, learning rate 5e-5. Instar's are those of
the recipe. The gain depends on the processor, so results are kept by its instructions.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from datasets.arrow_dataset import Dataset as Table
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer import losses as theirs
from transformers import TrainerCallback

from benchmarks import learning_rate, machine
from service import sample
from trainer import base_model
from trainer.data import formats, inspection
from trainer.data.dataset import Dataset
from trainer.prepare import rows, splits
from trainer.prepare.rows import Rows
from trainer.recipe import Recipe
from trainer.train import losses, plan, training
from trainer.train.ranking_evaluator import RankingEvaluator
from trainer.train.states import States
from trainer.train.training import Material

RESULTS = Path(__file__).parent / "results" / "training.json"


class Watch(TrainerCallback):
    """Adds up the seconds between the beginning and the end of steps."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.steps = 0
        self._began = 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self._began = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.seconds += time.perf_counter() - self._began
        self.steps += 1


def main() -> None:
    """Measure both trainers, print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    data = inspection.cleaned(formats.load(sample.file(), "good-bad", skip_bad=False).dataset)
    divided, _ = splits.split(data, "auto", Recipe().seed)
    recipe = Recipe(epochs=options.epochs, negatives=1, mine=False, patience=options.epochs)
    train_rows = rows.tuples(divided, splits.components(divided), {}, negatives=1, seed=recipe.seed)
    untrained = _model()
    measured: dict[str, Any] = {"machine": machine.describe(), "rows": len(train_rows), "epochs": options.epochs}
    measured["base"] = _quality(untrained, divided)
    for name, train in (("sentence-transformers' defaults", _defaults), ("Instar", _instar)):
        model, watch = _model(), Watch()
        with tempfile.TemporaryDirectory() as folder:
            rate = train(model, train_rows, divided, recipe, Path(folder) / "states", watch)
        measured[name] = {
            "rows_per_second": options.epochs * len(train_rows) / watch.seconds,
            "ndcg": _quality(model, divided),
            "batch": -(-options.epochs * len(train_rows) // watch.steps),
            "rate": rate,
        }
    results = json.loads(RESULTS.read_text()) | {machine.instructions(): measured}
    print(table(results))
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def table(results: dict[str, Any]) -> str:
    """The results as a Markdown table."""
    names = ("sentence-transformers' defaults", "Instar")
    first = next(iter(results.values()))
    lines = [
        f"{first['rows']} rows of question, good and bad document, {first['epochs']} epochs; nDCG@10 of the test"
        f" questions, {first['base']:.3f} before",
        "",
        "| processor | trainer | rows in a batch | learning rate | rows/s | | nDCG@10 |",
        "|---" * 7 + "|",
    ]
    for instructions, measured in results.items():
        slow = measured[names[0]]["rows_per_second"]
        for name in names:
            figures = measured[name]
            speed = figures["rows_per_second"]
            rate = learning_rate.shown(figures.get("rate"))
            cells = (rate, f"{speed:.1f}", f"{speed / slow:.2f}x", f"{figures['ndcg']:.3f}")
            lines.append(f"| {instructions} | {name} | {figures['batch']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _model() -> SentenceTransformer:
    with base_model.open(Recipe().base) as source:
        return base_model.load(source, "cpu")


def _quality(model: SentenceTransformer, data: Dataset) -> float:
    return RankingEvaluator(data, data.good("test"), "fp32").ndcg(model)


def _defaults(
    model: SentenceTransformer, train_rows: Rows, _: Dataset, recipe: Recipe, folder: Path, watch: Watch
) -> float:
    """Train by sentence-transformers' defaults, and return their learning rate."""
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        num_train_epochs=recipe.epochs or 1,
        use_cpu=True,
        save_strategy="no",
        report_to="none",
        seed=recipe.seed,
    )
    SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=Table.from_dict(dict(train_rows.columns)),
        loss=theirs.MultipleNegativesRankingLoss(model),
        callbacks=[watch],
    ).train()
    return arguments.learning_rate


def _instar(
    model: SentenceTransformer, train_rows: Rows, data: Dataset, recipe: Recipe, folder: Path, watch: Watch
) -> float:
    """Train as a run does, and return its learning rate."""
    loss = losses.build("multiple-negatives", model, None, [])
    states = States(folder, resume=False)
    dev = RankingEvaluator(data, data.good("dev"), plan.precision(recipe))
    training.train(model, loss, Material(train_rows, dev), recipe, states, quiet=True, callbacks=[watch])
    return plan.decide(recipe, train_rows, plan.shape(model)).learning_rate


if __name__ == "__main__":
    main()
