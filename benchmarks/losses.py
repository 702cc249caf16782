"""`make bench-losses`: the results of all losses on the sample corpus and on any BEIR folder, all else being equal.

Training begins with the base and uses one mined negative for each good document. The weights that ranked best on dev
are taken, unmixed. Results are written after each loss, so that an interrupted run goes on.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any, cast, get_args

from sentence_transformers import SentenceTransformer

from benchmarks import learning_rate, machine
from service import sample
from trainer import base_model
from trainer.data import formats, inspection
from trainer.data.dataset import Dataset
from trainer.prepare import splits
from trainer.prove import comparison
from trainer.prove.comparison import Contender, Exam
from trainer.prove.metrics import NDCG
from trainer.recipe import LossName, Recipe
from trainer.train import start, tuning
from trainer.train.losses import OF_RERANKERS_ALONE

RESULTS = Path(__file__).parent / "results" / "losses.json"
LOSSES: list[LossName] = [name for name in get_args(LossName) if name not in {"auto", *OF_RERANKERS_ALONE}]
# Rows of a query and a good document that a loss is trained on, in as many epochs as that takes.
_ROWS_SEEN = 3_000


def main() -> None:
    """Measure what has not been measured yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beir", type=Path, action="append", default=[], help="a folder in BEIR layout")
    parser.add_argument("--again", action="store_true", help="measure all losses again")
    options = parser.parse_args()
    measured: dict[str, Any] = {"machine": machine.describe(), "sets": {}}
    if RESULTS.is_file() and not options.again:
        measured["sets"] = json.loads(RESULTS.read_text())["sets"]
    sample_set = formats.load(sample.file(), "good-bad", skip_bad=False).dataset
    sets = {"sample corpus": sample_set} | {
        path.name: formats.load(path, "beir", skip_bad=False).dataset for path in options.beir
    }
    for name, judged in sets.items():
        data, _ = splits.split(inspection.cleaned(judged), "auto", Recipe().seed)
        pairs = sum(map(len, data.good("train").values()))
        epochs = max(1, round(_ROWS_SEEN / pairs))
        figures = measured["sets"].setdefault(name, {"pairs": pairs, "epochs": epochs, "losses": {}})
        general = sample_set if judged is not sample_set else None
        for loss in LOSSES:
            if loss not in figures["losses"]:
                figures["losses"][loss] = measure(data, general, loss, epochs)
                RESULTS.write_text(json.dumps(measured, indent=1) + "\n")
    print(table(measured))


def measure(data: Dataset, general: Dataset | None, loss: LossName, epochs: int) -> dict[str, Any]:
    """The figures of the test queries after training with `loss`, and of the `general` set."""
    recipe = Recipe(loss=loss, epochs=epochs, negatives=1)
    with start.opened(recipe, allow_hub=False) as models, tempfile.TemporaryDirectory() as folder:
        tuned = tuning.tune(models, data, Path(folder), resume=False, quiet=False)
        tuned.model.load_state_dict(dict(tuned.ends.tuned))
        report = comparison.compare(
            Contender(models.base.id, base_model.load(models.base)),
            Contender(loss, cast(SentenceTransformer, tuned.model)),
            Exam(data, "", general),
            seed=recipe.seed,
            package_faithful=None,
            quiet=False,
        )
    return {
        "rate": tuned.decisions["learning_rate"],
        "base": report.scores["base"][NDCG].value,
        "tuned": report.scores["tuned"][NDCG].value,
        "difference": report.differences[NDCG].model_dump(),
        "recall@10": report.scores["tuned"]["recall@10"].value,
        "random_pairs": report.collapse["tuned"],
        "general": report.general.tuned - report.general.base if report.general else None,
    }


def table(measured: dict[str, Any]) -> str:
    """The results as Markdown tables, the best loss first."""
    parts = []
    for name, figures in measured["sets"].items():
        base = next(iter(figures["losses"].values()))["base"]
        lines = [
            f"{name}: {figures['pairs']:,} pairs of question and good document, {figures['epochs']} epochs;"
            f" {NDCG} of the test questions, {base:.3f} before",
            "",
            f"| loss | rate | {NDCG} | difference | recall@10 | random pairs | general set |",
            "|---" * 7 + "|",
        ]
        for loss, result in sorted(figures["losses"].items(), key=lambda item: -item[1]["tuned"]):
            change = result["difference"]
            cells = [
                loss,
                learning_rate.shown(result.get("rate")),
                f"{result['tuned']:.3f}",
                f"{change['value']:+.3f} [{change['low']:+.3f}, {change['high']:+.3f}]",
                f"{result['recall@10']:.3f}",
                f"{result['random_pairs']:.2f}",
                "" if result["general"] is None else f"{result['general']:+.3f}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
