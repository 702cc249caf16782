"""The whole way from judgements to a checkpoint that is proven better, in stages that can be resumed.

A run writes into one folder: the states to resume from, `package/`, and the report. A promoted package alone is copied
from there into the folder of checkpoints.
"""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from service.checkpoints.checkpoint import Checkpoint
from service.checkpoints.manifest import Sign
from service.checkpoints.report import MAX_REPORT
from trainer import base_model, cross_validation
from trainer.base_model import Model
from trainer.cross_validation import Training
from trainer.data.dataset import Dataset
from trainer.data.texts import asked
from trainer.errors import BadData
from trainer.prepare import folds, splits
from trainer.prepare.reranking import Reranker
from trainer.progress import say
from trainer.prove import comparison, gate
from trainer.prove.comparison import Contender, Exam
from trainer.prove.gate import Thresholds, Verdict
from trainer.prove.learned import learned
from trainer.prove.levels import fewest_clusters, level
from trainer.prove.rankings import Rankings
from trainer.prove.report import files
from trainer.prove.report.advice import Spelled, unknown
from trainer.prove.report.files import About
from trainer.prove.report.links import IN_PACKAGE, Links
from trainer.prove.report.model import Made, Report
from trainer.prove.report.words import Origin
from trainer.recipe import Recipe
from trainer.ship import card, package
from trainer.ship.provenance import Provenance
from trainer.train import mixing, start, tuning
from trainer.train.schedule import Schedule
from trainer.train.start import Start

# The fewest queries without a common answer that are divided into folds.
_GROUPS = 2 * folds.USUAL
# Documents on which a package is compared with the model that was saved in it.
_COMPARED = 64


@dataclass(frozen=True)
class RunPlan:
    """How to train, which thresholds the result must pass, the package's name, and the folder of the run.

    With `resume`, the run goes on where an earlier run in the folder stopped. `allow_hub` lets the base be downloaded.
    `links` lead the report's questions to a console, and the `command` is named in it. `packs_report` puts it into the
    package as well. `folds` are models that test each other's queries; None: as many as a verdict takes. `budget` are
    the seconds that the run may take (None: no limit). `unseen`: somebody says that the base and the retriever have
    learned from no test query of which nobody knows. `before` is the data without the judgements that were added to it,
    as an earlier run may have read it; None: there are no such judgements.
    """

    recipe: Recipe
    thresholds: Thresholds
    name: str
    folder: Path
    resume: bool
    allow_hub: bool
    links: Links | None = None
    packs_report: bool = True
    command: Spelled = unknown
    folds: int | None = None
    budget: float | None = None
    unseen: bool = False
    before: Dataset | None = None

    @property
    def package(self) -> Path:
        """The folder of the package."""
        return self.folder / "package"


@dataclass(frozen=True)
class Outcome:
    """The result of a run. `checkpoint` is the package, which lies in `folder`. The report says what `about` has."""

    verdict: Verdict
    report: Report
    checkpoint: Checkpoint
    folder: Path
    about: About


def run(dataset: Dataset, general: Dataset | None, run_plan: RunPlan, *, quiet: bool, sign: Sign = dict) -> Outcome:
    """Split, train, merge, package, evaluate and judge. `sign` signs the package.

    `general` is a set on which the tuned model may lose only a little. Raises BadData if the data or the base cannot be
    used, or the time is too short, Interrupted after Ctrl-C, and DiskFull.
    """
    recipe = run_plan.recipe
    began, clock = datetime.now(UTC), time.perf_counter()
    parts = _parts(dataset, run_plan)
    divided, tested, how = _divided(dataset, parts, run_plan)
    if not tested.good("test"):
        raise BadData("no query with a good document is left for test: judge more queries, or choose another --split")
    made = _made(dataset, recipe, run_plan.thresholds)
    _require_questions(dataset, len(tested.good("test")), made, run_plan)
    with start.opened(recipe, allow_hub=run_plan.allow_hub) as models:
        made, learned_before = _learned_before(made, models, dataset, tested, run_plan)
        how += learned_before
        say(f"step 1 of 5: {how}", quiet=quiet)
        say(f"step 2 of 5: hard negatives and {_training(1 + len(parts), run_plan)}", quiet=quiet)
        folder, resume = run_plan.folder, run_plan.resume
        schedule = Schedule(1 + len(parts), True, general, len(tested.good("test")), run_plan.budget, clock)
        tuned = tuning.tune(models, divided, folder, resume=resume, quiet=quiet, schedule=schedule)
        say("step 3 of 5: the share of tuned weights that ranks best on the dev questions", quiet=quiet)
        limit = run_plan.thresholds.max_general_loss
        share = mixing.mix(tuned, models, general, limit)
        say(str(share), quiet=quiet)
        say("step 4 of 5: the package, and both models on the test questions over the whole corpus", quiet=quiet)
        shutil.rmtree(run_plan.package, ignore_errors=True)
        saved = package.save(tuned.model, run_plan.package, models.base, same_documents=recipe.mode == "query-adapter")
        training = Training(models, folder, resume, general, limit, tuned.passes)
        crossed = cross_validation.rank(training, parts, quiet=quiet) if parts else None
        exam = Exam(tested, how, general, max(1, len(parts)), made)
        report = _compare(models, tuned.model, exam, run_plan, crossed, quiet=quiet)
        say("step 5 of 5: the verdict and the report", quiet=quiet)
        verdict = gate.judge(report, run_plan.thresholds)
        origin = Origin(run_plan.command, began, (datetime.now(UTC) - began).total_seconds())
        about = About(run_plan.name, run_plan.links, origin, run_plan.thresholds)
        files.write(report, verdict, run_plan.folder, about)
        provenance = Provenance(
            start=models,
            dataset=divided,
            decisions=tuned.decisions | share.facts() | {"split": how},
            report=report,
            verdict=verdict,
            reembeds=not models.reranks and saved.fingerprint != models.base.fingerprint,
        )
        text = card.write(run_plan.name, provenance, loss=str(tuned.decisions["loss"]), alpha=share.alpha)
        page = _packed(report, verdict, run_plan, quiet=quiet)
        checkpoint = package.complete(run_plan.package, run_plan.name, provenance.lineage(), text, sign, page)
    return Outcome(verdict, report, checkpoint, run_plan.package, about)


def _training(models: int, run_plan: RunPlan) -> str:
    """The training of the first model, as its step is announced."""
    trained = f"training of model 1 of {models}; the bar is of this one" if models > 1 else "training; the bar is of it"
    return trained if run_plan.budget else f"{trained}; how long all of it takes is said after the first steps"


def _divided(dataset: Dataset, parts: Sequence[Dataset], run_plan: RunPlan) -> tuple[Dataset, Dataset, str]:
    """The data as it trains the package and as it is tested, and how it was divided. `parts` are the folds, if any."""
    recipe = run_plan.recipe
    shared = _of_shared_answers(dataset, run_plan)
    if not parts:
        divided, how = splits.split(dataset, recipe.split, recipe.seed)
        return divided, divided, how + shared
    without = f"it; {splits.shared_answers(parts)}" if recipe.split == "by-query" else "it and its answers"
    how = (
        f"in {len(parts)} folds: each question is tested by a model that was trained without {without};"
        f" the package is trained on all questions{shared}"
    )
    return folds.whole(dataset, recipe.split, recipe.seed), folds.tested(dataset, parts), how


def _of_shared_answers(dataset: Dataset, run_plan: RunPlan) -> str:
    """A note for whoever divides by answers where most questions share theirs: others may ask for the same again."""
    if run_plan.recipe.split in {"by-query", "given"} or dataset.splits or not _can_show(dataset, run_plan.thresholds):
        return ""
    groups = splits.groups(dataset)
    judged = sum(map(len, groups))
    sharing = sum(len(group) for group in groups if len({asked(dataset.queries[query]) for query in group}) > 1)
    if 2 * sharing <= judged:
        return ""
    return (
        f"; {sharing:,} of {judged:,} questions share an answer with others: if users ask for known answers in new"
        " words, --split by-query trains and tests for that"
    )


def _can_show(dataset: Dataset, thresholds: Thresholds) -> bool:
    """Whether the judged questions have so many different answers that they can show any gain."""
    most = thresholds.max_p or level(len(dataset.good()))
    return len(splits.groups(dataset)) >= fewest_clusters(most)


def _made(dataset: Dataset, recipe: Recipe, thresholds: Thresholds) -> Made:
    """How the report comes about that a run makes of these judgements."""
    return Made(
        by="run",
        judged=len(dataset.good()),
        foldable=_foldable(dataset, recipe) and len(folds.groups(dataset, recipe.split)) >= _GROUPS,
        divided=recipe.split == "given" or (recipe.split == "auto" and bool(dataset.splits)),
        max_p=thresholds.max_p,
    )


def _learned_before(
    made: Made, models: Start, dataset: Dataset, tested: Dataset, run_plan: RunPlan
) -> tuple[Made, str]:
    """`made` with what the models that the run begins with have learned, and a note on that for how it was split."""
    same = [dataset] if run_plan.before is None else [run_plan.before, dataset]
    queries = tested.good("test").keys()
    model = learned([models.base.manifest], same, queries)
    base = learned([models.base.manifest, models.retriever.manifest], same, queries)
    if not base.taught:
        return made, ""
    if base.count:
        note = f"but the run begins with a model that has learned from {base.count:,} of the test questions"
    else:
        note = "whether the run begins with a model that has learned from test questions is not known"
        note += ", and it has not, as --unseen says" if run_plan.unseen else ""
    if model.count or (model.doubt and not run_plan.unseen):
        note += ", so that it cannot end in PROMOTE"
    changes = {
        "learned": None if model.doubt and not run_plan.unseen else model.count or 0,
        "doubt": "" if run_plan.unseen else model.doubt,
        "unseen": run_plan.unseen and not base.count,
        "base_learned": base.count,
        "base_doubt": "" if run_plan.unseen else base.doubt,
    }
    return made.model_copy(update=changes), f"; {note}"


def _require_questions(dataset: Dataset, test: int, made: Made, run_plan: RunPlan) -> None:
    """Raise BadData if there are too few test queries for a verdict, before anything takes long."""
    least, judged = run_plan.thresholds.min_queries, made.judged
    if test >= least:
        return
    groups = len(folds.groups(dataset, run_plan.recipe.split))
    if made.divided:
        advice = f"Put {least - test} more judged questions into the test split of the data"
    elif not _foldable(dataset, run_plan.recipe):
        needed = max(judged + 1, -(-least * judged // test))
        advice = f"Judge about {needed - judged} more questions, which makes {needed} in all"
    elif judged < least:
        advice = f"Judge {least - judged} more questions, which makes {least} in all"
    elif made.foldable:
        advice = f"Run with --folds {folds.USUAL}, which tests on all {judged} that are judged"
    else:
        by_query = run_plan.recipe.split == "by-query"
        advice = (
            f"Judge questions {'in other words' if by_query else 'with other answers'}: questions with"
            f" {'equal words' if by_query else 'a common answer'} count as one, so that these {judged} count as"
            f" {groups}, and folds, which test on all that are judged, take {_GROUPS}"
        )
        if not by_query and _can_show(dataset, run_plan.thresholds):
            advice += "; or test new words for known answers with --split by-query"
    raise BadData(
        f"no verdict is possible: there are {test} test questions, and a verdict takes {least}. {advice}. Or train all"
        f" the same with --min-queries {test}"
    )


def _foldable(dataset: Dataset, recipe: Recipe) -> bool:
    """Whether questions may be tested in folds: nobody has divided them, and an embedding model is tuned."""
    return recipe.kind == "dense" and recipe.split != "given" and not dataset.splits


def _parts(dataset: Dataset, run_plan: RunPlan) -> list[Dataset]:
    """The folds, or none: one split is enough, or too few questions are judged for any verdict.

    Raises BadData if folds are asked for that there cannot be.
    """
    recipe, count = run_plan.recipe, run_plan.folds
    foldable = _foldable(dataset, recipe)
    if count is None:
        judged, least = len(dataset.good()), run_plan.thresholds.min_queries
        too_few = int(judged * splits.SHARES[-1]) < least <= judged
        # Too few answers may be left for folds, too, and then one split says so.
        wanted = foldable and too_few and len(folds.groups(dataset, recipe.split)) >= _GROUPS
        return folds.folds(dataset, folds.USUAL, recipe.split, recipe.seed) if wanted else []
    if count == 1:
        return []
    if not foldable:
        raise BadData("--folds is for embedding models and questions without splits: leave it out")
    return folds.folds(dataset, count, recipe.split, recipe.seed)


def _compare(
    models: Start, model: Model, exam: Exam, run_plan: RunPlan, crossed: Rankings | None, *, quiet: bool
) -> Report:
    """Compare the base with the package as it loads from its files. `model` is the model that was packaged.

    `crossed` has the rankings of its like, which have not seen the queries that they rank.
    """
    corpus = exam.dataset.corpus
    before, after = _contenders(models, run_plan)
    return comparison.compare(
        before,
        replace(after, crossed=crossed),
        exam,
        seed=run_plan.recipe.seed,
        package_faithful=package.faithful(model, run_plan.package, exam.dataset.passages(sorted(corpus)[:_COMPARED])),
        quiet=quiet,
    )


def _packed(report: Report, verdict: Verdict, run_plan: RunPlan, *, quiet: bool) -> str | None:
    """The report as a page for the package; None if the package shall have none, or a service would refuse it."""
    if not run_plan.packs_report:
        return None
    page = files.page(report, verdict, About(run_plan.name, IN_PACKAGE, thresholds=run_plan.thresholds))
    if len(page.encode()) > MAX_REPORT:
        say(f"the report has over {MAX_REPORT} bytes, so it is in {run_plan.folder} alone", quiet=quiet)
        return None
    return page


def _contenders(models: Start, run_plan: RunPlan) -> tuple[Contender, Contender]:
    """The base and the package. A reranker stands behind the retriever, and a new head is held against that alone."""
    if not models.reranks:
        return (
            Contender(models.base.id, models.reader),
            Contender(run_plan.name, base_model.load_folder(run_plan.package)),
        )
    retriever, candidates = models.reader, run_plan.recipe.candidates
    tuned = Reranker(base_model.load_reranker_folder(run_plan.package), candidates)
    if models.new_head:
        base = Contender(models.retriever.id, retriever)
    else:
        base = Contender(models.base.id, retriever, Reranker(base_model.load_reranker(models.base), candidates))
    return base, Contender(run_plan.name, retriever, tuned)
