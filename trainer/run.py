"""The whole way from judgements to a checkpoint that is proven better, in stages that can be resumed.

Everything that a run leaves behind lies in one folder: what training needs to resume, `package/`, and the report. Only
a promoted package leaves it, for the folder of checkpoints.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from service.checkpoints.checkpoint import Checkpoint, Sign
from trainer import base_model as bases
from trainer.data.dataset import SPLITS, Dataset
from trainer.errors import BadData
from trainer.prepare import splits
from trainer.progress import say
from trainer.prove import evaluation, gate, report
from trainer.prove.evaluation import Report
from trainer.prove.gate import Thresholds, Verdict
from trainer.recipe import Recipe
from trainer.ship import card, package
from trainer.train import merging, training, tuning
from trainer.train.training import RankingEvaluator

# Texts of the corpus on which a package is compared with the model it was made of.
_COMPARED = 64


@dataclass(frozen=True)
class Outcome:
    """What a run came to; `checkpoint` is the package, wherever it lies now."""

    verdict: Verdict
    report: Report
    checkpoint: Checkpoint
    folder: Path


def run(
    dataset: Dataset,
    recipe: Recipe,
    thresholds: Thresholds,
    folder: Path,
    name: str,
    *,
    general: Dataset | None,
    allow_hub: bool,
    resume: bool,
    quiet: bool,
    sign: Sign = dict,
) -> Outcome:
    """Split, train, merge, package, evaluate and judge; the outcome's package, signed by `sign`, lies in `folder`.

    Raises BadData if the data or the base cannot be used, Interrupted after Ctrl-C, DiskFull.
    """
    divided, how = splits.split(dataset, recipe.split, recipe.seed)
    if not divided.good("test"):
        raise BadData("no query with a good document is left for test: judge more queries, or split otherwise")
    say(_possible(divided, thresholds), quiet=quiet)
    say(f"step 1 of 5: splits: {how}", quiet=quiet)
    say("step 2 of 5: hard negatives and training; the bar says how long it takes", quiet=quiet)
    with bases.found(recipe.base, allow_hub=allow_hub) as base:
        tuned = tuning.tune(base, divided, recipe, folder, resume=resume, quiet=quiet)
        model = tuned.model
        say("step 3 of 5: how much of the tuned weights to take, by the dev questions", quiet=quiet)
        share = merging.choose(
            model,
            tuned.base,
            tuned.tuned,
            RankingEvaluator(divided, divided.good("dev"), training.precision(recipe)),
            recipe.alphas,
            general=RankingEvaluator(general, general.held_out, "fp32") if general else None,
            max_general_loss=thresholds.max_general_loss,
        )
        say(str(share), quiet=quiet)
        say("step 4 of 5: packaging, and both models on the test questions over the whole corpus", quiet=quiet)
        packaged = folder / "package"
        shutil.rmtree(packaged, ignore_errors=True)
        saved = package.save(model, packaged, base, same_documents=recipe.mode == "query-adapter")
        texts = [divided.corpus[document].passage for document in sorted(divided.corpus)[:_COMPARED]]
        found = evaluation.compare(
            bases.load(base),
            bases.load_folder(packaged),
            divided,
            "test",
            components=splits.components(divided),
            general=general,
            seed=recipe.seed,
            base_name=base.id,
            tuned_name=name,
            split_note=how,
            package_faithful=package.faithful(model, packaged, texts),
            quiet=quiet,
        )
        say("step 5 of 5: the verdict and the report", quiet=quiet)
        verdict = gate.judge(found, thresholds)
        report.write(found, verdict, folder)
        anew = saved.fingerprint != base.fingerprint
        decisions = tuned.decisions | share.facts() | {"split": how}
        lineage = _lineage(base, divided, recipe, decisions, found, verdict) | {"embeds_documents_anew": anew}
        text = card.write(
            name, base, divided, found, verdict, loss=str(decisions["loss"]), alpha=share.alpha, anew=anew
        )
        checkpoint = package.complete(packaged, name, lineage, text, sign)
    return Outcome(verdict, found, checkpoint, packaged)


def _possible(divided: Dataset, thresholds: Thresholds) -> str:
    """What a run can end in, said before it costs anything."""
    test, judged = len(divided.good("test")), sum(len(divided.good(split)) for split in SPLITS)
    missing = thresholds.min_queries - test
    if missing <= 0:
        return f"{test} test questions: enough for a verdict, which needs {thresholds.min_queries}"
    needed = -(-thresholds.min_queries * judged // test)
    return (
        f"NO VERDICT IS POSSIBLE: there are {test} test questions, and {missing} more are needed (--min-queries"
        f" {thresholds.min_queries}). With splits like these that is {needed} judged questions in all, and there are"
        f" {judged}. The run goes on and can only end in INSUFFICIENT."
    )


def _lineage(
    base: Checkpoint,
    dataset: Dataset,
    recipe: Recipe,
    decisions: dict[str, JsonValue],
    found: Report,
    verdict: Verdict,
) -> dict[str, JsonValue]:
    return {
        "base": {"id": base.id, "digest": base.digest, "document_fingerprint": base.fingerprint},
        "data": {
            "digest": dataset.digest,
            "documents": len(dataset.corpus),
            "queries": {split: len(dataset.good(split)) for split in SPLITS},
            "judgements": len(dataset.judgements),
        },
        # The base is named by its id above; where it lay must not change the package's.
        "recipe": recipe.model_dump(mode="json", exclude={"base"}),
        "decisions": decisions,
        "metrics": found.summary(),
        "verdict": verdict.model_dump(mode="json"),
    }
