"""The command `run`: the whole way from judgements to a service that answers with the tuned model."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, JsonValue, model_validator

from service.checkpoints.names import NAME
from trainer.commands.command import Answer
from trainer.commands.flag_groups import (
    ADMIN_KEY_HELP,
    WORK,
    Address,
    Duration,
    Publishing,
    Remembering,
    Reporting,
    Signing,
    admin_key,
    part,
)
from trainer.commands.shipping import published
from trainer.commands.working import Working
from trainer.data import fetching, inspection
from trainer.errors import BadData, NotBetter
from trainer.progress import say
from trainer.prove.gate import Thresholds
from trainer.prove.report.links import Links
from trainer.recipe import Recipe

if TYPE_CHECKING:
    from trainer.data.dataset import Dataset
    from trainer.run import Outcome, RunPlan


class Run(Working, Remembering, Reporting, Signing, Publishing, Recipe, Thresholds):
    """Take all steps: read, split, mine, train, merge, package, evaluate, judge. Flags win over the TOML file."""

    EXAMPLE: ClassVar[str] = "--data feedback.json --format good-bad --out checkpoints"
    FIRST: ClassVar[Mapping[str, Sequence[str]]] = {
        "data": ("data", "format", "skip_bad"),
        "run": ("base", "budget", "folds", "general", "resume"),
        "result": ("name", "replace", "out", "reload", "json"),
    }

    config: Path | None = Field(None, description="TOML file with values of these flags, by their names")
    data: str = Field(description="file or folder, or the URL of a service or of DocsGPT's PostgreSQL")
    out: Path = Field(Path("checkpoints"), description="folder of checkpoints, for a promoted package")
    name: str | None = Field(
        None, description="name of the package; none: made from the data's name", pattern=f"^{NAME.pattern}$"
    )
    zip: bool = Field(False, description="write the package as a zip, too")
    folds: int | None = Field(
        None,
        ge=1,
        le=20,
        description="test each question by one of so many models, which was trained without it; none: 5 where a fifth"
        " of the questions is too few for a verdict, and else 1, which is one split",
    )
    budget: Duration | None = Field(
        None, description="time that the run may take, about: 90s, 15m or 2h; it trains what fits"
    )
    unseen: bool = Field(
        False,
        description="the base and the retriever have learned from none of the test questions; nobody can see that in a"
        " manifest of other data",
    )
    report: bool = Field(True, description="put the report, which has texts of the data, into the package as well")
    work: Path | None = Field(None, description="folder of the run; none: runs/NAME")
    resume: bool = Field(False, description="go on where the last run with these settings stopped")
    reload: Address | None = Field(None, description="URL of a service that shall reload a promoted package")
    admin_key: str | None = Field(None, description=ADMIN_KEY_HELP)

    @model_validator(mode="before")
    @classmethod
    def _read_config(cls, flags: Any) -> Any:
        if not isinstance(flags, dict) or not flags.get("config"):
            return flags
        try:
            content = tomllib.loads(Path(flags["config"]).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise BadData(f"{flags['config']} cannot be read ({error}): correct it, or give flags instead") from error
        content = {key.replace("-", "_"): value for key, value in content.items()}
        names = [*cls.model_fields, *(field.alias for field in cls.model_fields.values() if field.alias)]
        for key in content:
            if key not in names:
                near = get_close_matches(key, names, 1)
                meant = f": is {near[0]} meant?" if near else ": remove it; run --help-all lists the names"
                raise BadData(f"{flags['config']} has no use for {key}{meant}")
        return content | flags

    def answer(self) -> Answer:
        name = self.name or _name(self.data)
        work = self.work or WORK / name
        with self.alone_in(work, resume=self.resume, replace=self.replace):
            if not self.resume:
                self.require_free(work, "a run in", "go on with it by --resume, choose another --name")
            self.require_free(self.out / name, "a package", "choose another --name")
            return self._run(name, work)

    def reads(self, source: str) -> list[Path]:
        """With the files that are read beside the data."""
        return [*super().reads(source), *filter(None, (self.config, self.general, self.sign_with))]

    def _run(self, name: str, work: Path) -> Answer:
        # Imported here, because they import torch: a name that is taken is told at once.
        from trainer import run  # noqa: PLC0415
        from trainer.prove.report import words  # noqa: PLC0415
        from trainer.ship import package  # noqa: PLC0415

        # A key that cannot sign must stop the run before anything takes long.
        sign = package.signer(self.sign_with)
        with self.loaded(self.data, work, part(self, Recipe), resume=self.resume) as imported:
            dataset = inspection.cleaned(imported.dataset)
            judged = len(dataset.good())
            if self._service and judged < self.min_queries:
                say(
                    f"the service lets {judged} judged questions be trained on; those of the side judge are not among"
                    " them, as all that were sent without the source person (docs/learning.md, Sides)",
                    quiet=self.as_json,
                )
            plan = self._plan(name, work, imported.before and inspection.cleaned(imported.before))
            outcome = run.run(dataset, self.general_set(dataset), plan, quiet=self.as_json, sign=sign)
        facts: dict[str, JsonValue] = {
            "verdict": outcome.verdict.model_dump(mode="json"),
            "checkpoint": outcome.checkpoint.id,
            "metrics": outcome.report.summary(),
            "folder": str(outcome.folder),
            "problems": [str(problem) for problem in imported.problems],
        }
        table = outcome.report.table(enough=outcome.verdict.outcome != "INSUFFICIENT")
        verdict = words.told(outcome.report, outcome.verdict, plan.thresholds, plan.command)
        text = f"{table}\n\n{verdict}\n\n{outcome.folder.parent / 'report.html'}"
        if not outcome.verdict.promoted:
            return Answer(f"{text}\nnot published; the package is {outcome.folder}", facts, NotBetter.exit_code)
        publication = self._publish(outcome, name)
        return Answer(f"{text}\n{publication.text}", facts | publication.facts)

    def _plan(self, name: str, work: Path, before: Dataset | None) -> RunPlan:
        """The run of that `name`, in the folder `work`, as the flags say. `before` is the data without `--judged`."""
        from trainer.run import RunPlan  # noqa: PLC0415

        return RunPlan(
            part(self, Recipe),
            part(self, Thresholds),
            name,
            work,
            self.resume,
            self.allow_hub,
            Links.to(self._service),
            self.report,
            partial(self.spelled, "run"),
            self.folds,
            self.budget,
            self.unseen,
            before,
        )

    def _publish(self, outcome: Outcome, name: str) -> Answer:
        """Publish a promoted package, and have the service of `--reload` reload it."""
        from trainer.ship import delivery, package  # noqa: PLC0415

        packaged, target = outcome.checkpoint, self.out / name
        package.publish(outcome.folder, target)
        answer = published(packaged, self.out, name, zipped=self.zip)
        if self.reload is None:
            return answer
        key = admin_key(self.admin_key)
        job = delivery.reload(self.reload, packaged.id, target, key=key, quiet=self.as_json, kind=packaged.kind)
        if self._service == self.reload:
            self._link(outcome, delivery.generations(self.reload, key=key))
        warnings = "".join(f"\n{sentence}" for sentence in job.get("warnings", ()))
        role = "the reranker" if packaged.kind == "reranker" else f"generation {job['generation']}"
        return Answer(
            f"{packaged.id} is in {target}, and it is {role} of {self.reload}{warnings}",
            answer.facts | {"job": job},
        )

    @property
    def _service(self) -> str | None:
        """The service to whose console the report leads."""
        return self.console or (self.data if fetching.is_url(self.data) else self.reload)

    def _link(self, outcome: Outcome, generations: Mapping[str, int]) -> None:
        """Write the report once more, with links to the base and the package side by side, if a service has both."""
        from trainer.prove.report import files  # noqa: PLC0415

        numbers = generations.get(outcome.report.base), generations.get(outcome.checkpoint.id)
        if numbers[0] is not None and numbers[1] is not None:
            links = Links.to(self.reload, (numbers[0], numbers[1]))
            about = replace(outcome.about, links=links)
            files.write(outcome.report, outcome.verdict, outcome.folder.parent, about)


def _name(data: str) -> str:
    """A checkpoint name made from the name of the data."""
    if fetching.is_url(data):
        return "tuned"
    stem = Path(data).resolve().name.partition(".")[0]
    return NAME.match(f"{stem}-tuned")[0] if NAME.match(stem) else "tuned"  # type: ignore[index]
