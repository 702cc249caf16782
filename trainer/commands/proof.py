"""The commands that compare and judge models: evaluate, pool, gate."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, ValidationError
from pydantic_settings import CliPositionalArg

from trainer.commands.command import Answer, Command
from trainer.commands.flag_groups import BASE, Asked, Asking, Questions, Remembering, Reporting, part
from trainer.errors import BadData, NotBetter
from trainer.prove import gate
from trainer.prove.gate import Thresholds
from trainer.prove.learned import Learned, learned
from trainer.prove.report import words
from trainer.prove.report.links import Links
from trainer.prove.report.model import Made, Report
from trainer.recipe import MOST_CANDIDATES, Recipe

if TYPE_CHECKING:
    from service.checkpoints.checkpoint import Checkpoint
    from trainer.prove.comparison import Contender


class Evaluate(Asking, Remembering, Reporting):
    """Compare two models on the test queries, over the whole corpus."""

    EXAMPLE: ClassVar[str] = "checkpoints/handbook judged --format beir"

    model: CliPositionalArg[str] = Field(description="the model after")
    data: CliPositionalArg[str] = Field(description="file or folder, or the URL of a service")
    baseline: str = Field(BASE, description="the model before; behind it stands the model after, if that is a reranker")
    candidates: int = Field(
        Recipe.model_fields["candidates"].default,
        ge=1,
        le=MOST_CANDIDATES,
        description=Recipe.model_fields["candidates"].description,
    )
    questions: Questions = Field(
        "test",
        description="judged questions that are asked: test, a fifth of them or those of the data's test split; or all,"
        " for models that have learned from none. A run in folds has trained its package on all",
    )
    unseen: bool = Field(
        False,
        description="neither model has learned from any of these questions; nobody can see that in a manifest of other"
        " data",
    )
    out: Path = Field(Path("report"), description="folder for report.json and report.html")

    def answer(self) -> Answer:
        from trainer import base_model  # noqa: PLC0415
        from trainer.prove import comparison  # noqa: PLC0415
        from trainer.prove.comparison import Contender, Exam  # noqa: PLC0415
        from trainer.prove.report import files  # noqa: PLC0415
        from trainer.prove.report.files import About  # noqa: PLC0415
        from trainer.prove.report.words import Origin  # noqa: PLC0415

        began = datetime.now(UTC)
        asked = self.asked(self.data)
        dataset = asked.dataset
        with (
            base_model.open(self.baseline, allow_hub=self.allow_hub) as before,
            base_model.open(self.model, allow_hub=self.allow_hub, kinds=("dense", "reranker")) as after,
        ):
            base = Contender(before.id, base_model.load(before))
            made, how = self._made(asked, before, after)
            report = comparison.compare(
                base,
                self._tuned(after, base),
                Exam(dataset, how, self.general_set(dataset), made=made),
                seed=self.seed,
                # The model is measured as its files give it.
                package_faithful=True,
                quiet=self.as_json,
            )
        thresholds = Thresholds()
        verdict = gate.judge(report, thresholds)
        origin = Origin(partial(self.spelled, "evaluate"), began, (datetime.now(UTC) - began).total_seconds())
        files.write(report, verdict, self.out, About(None, Links.to(self.console or self.data), origin))
        table = report.table(enough=verdict.outcome != "INSUFFICIENT")
        told = words.told(report, verdict, thresholds, origin.spelled)
        text = f"{table}\n\n{told}\n\n{self.out / 'report.html'}"
        return Answer(text, report.model_dump(mode="json") | {"verdict": verdict.model_dump(mode="json")})

    def _made(self, asked: Asked, before: Checkpoint, after: Checkpoint) -> tuple[Made, str]:
        """How the report is made, for its advice, and notes on whether the models have learned from the questions."""
        tested, judged = asked.dataset.good("test").keys(), asked.dataset.good().keys()
        same = self.read_by_run(asked.whole)
        model, base = (learned([checkpoint.manifest], same, tested) for checkpoint in (after, before))
        notes = [f"{len(tested):,} of {len(judged):,} judged questions are asked", self._known("model", after, model)]
        if base.taught:
            notes.append(self._known("base", before, base))
        made = Made(
            by="evaluate",
            judged=len(judged),
            learned=model.count,
            doubt="" if self.unseen else model.doubt,
            unseen=self.unseen and model.count is None,
            base_learned=base.count,
            base_doubt="" if self.unseen else base.doubt,
        )
        return made, "; ".join((*notes, *asked.notes))

    def _known(self, part_of_proof: str, checkpoint: Checkpoint, known: Learned) -> str:
        """A note on whether a model has learned from the questions."""
        if known.count is not None:
            return f"the {part_of_proof} has learned from {known.count:,} of them, as its manifest says"
        if checkpoint.manifest is None:
            why = "it has no manifest"
        else:
            why = "its base had learned before" if known.doubt == "base" else "its manifest does not name this data"
        note = f"whether the {part_of_proof} has learned from any is not known: {why}"
        return f"{note}; it has learned from none, as --unseen says" if self.unseen else note

    def _tuned(self, after: Checkpoint, base: Contender) -> Contender:
        """The model after. A reranker stands behind the model before."""
        from trainer import base_model  # noqa: PLC0415
        from trainer.prepare.reranking import Reranker  # noqa: PLC0415
        from trainer.prove.comparison import Contender  # noqa: PLC0415

        if after.kind == "dense":
            return Contender(after.id, base_model.load(after))
        return Contender(after.id, base.model, Reranker(base_model.load_reranker(after), self.candidates))


class Pool(Asking):
    """Write the passages by which two models differ and that nobody has judged, to be judged blind."""

    EXAMPLE: ClassVar[str] = "checkpoints/handbook judged --format beir --out pool.csv"

    model: CliPositionalArg[str] = Field(description="the model after")
    data: CliPositionalArg[str] = Field(description="file or folder, or the URL of a service")
    baseline: str = Field(BASE, description="the model before")
    questions: Questions = Field(
        "test",
        description="judged questions that are asked: test, a fifth of them or those of the data's test split; or all,"
        " which suits a run in folds, and models that have learned from none",
    )
    depth: int = Field(10, ge=1, le=MOST_CANDIDATES, description="first passages of each model that are looked at")
    most: int = Field(200, ge=1, description="most passages that are written")
    out: Path = Field(Path("pool.csv"), description="new CSV file with query, document, good (empty) and passage")

    def answer(self) -> Answer:
        from trainer import base_model  # noqa: PLC0415
        from trainer.prove import pool, rankings  # noqa: PLC0415
        from trainer.prove.judged_queries import judged_queries  # noqa: PLC0415

        if self.out.exists():
            raise BadData(f"{self.out} is there already, perhaps with verdicts: name another file with --out")
        self.out.parent.mkdir(parents=True, exist_ok=True)
        dataset = self.asked(self.data).dataset
        queries = judged_queries(dataset, "test").ids
        ranked = []
        for name in (self.baseline, self.model):
            with base_model.open(name, allow_hub=self.allow_hub) as checkpoint:
                embedded = rankings.embed(base_model.load(checkpoint), dataset, queries, quiet=self.as_json)
                ranked.append(rankings.by_cosine(embedded, dataset, queries))
        before, after = ranked
        pairs = pool.unjudged(before, after, dataset, queries, depth=self.depth, seed=self.seed)
        pool.write(pairs[: self.most], dataset, self.out)
        asked = len({query for query, _ in pairs[: self.most]})
        return Answer(
            f"{min(len(pairs), self.most)} of {len(pairs)} passages by which the models differ, for {asked} of"
            f" {len(queries)} questions; in {self.out}\nFill in the column good with 1 or 0, then add --judged"
            f" {self.out} to evaluate or run, or import it on the console's page Judge.",
            {"passages": len(pairs), "written": min(len(pairs), self.most), "questions": asked},
        )


class Gate(Thresholds, Command):
    """Judge a report: PROMOTE, HOLD, REJECT or INSUFFICIENT, with reasons."""

    EXAMPLE: ClassVar[str] = "report/report.json --min-queries 100"

    report: CliPositionalArg[Path] = Field(description="report.json")

    def answer(self) -> Answer:
        try:
            report = Report.model_validate_json(self.report.read_bytes())
        except (OSError, ValidationError) as error:
            raise BadData(f"{self.report} is no report ({error}): make one with evaluate or run") from error
        thresholds = part(self, Thresholds)
        verdict = gate.judge(report, thresholds)
        code = 0 if verdict.promoted else NotBetter.exit_code
        return Answer(words.told(report, verdict, thresholds), verdict.model_dump(mode="json"), code)
