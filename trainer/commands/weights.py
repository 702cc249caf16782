"""The commands that make weights: train, merge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from pydantic_settings import CliPositionalArg

from trainer.commands.command import Answer
from trainer.commands.flag_groups import WORK, Remembering, Splitting, part, require_new
from trainer.commands.working import Working
from trainer.data import inspection
from trainer.errors import BadData
from trainer.prepare import splits
from trainer.prove.gate import Thresholds
from trainer.recipe import Recipe
from trainer.train import run_folder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from trainer.train.merging import Share

_FORGOTTEN = Thresholds.model_fields["max_general_loss"]


class Train(Working, Recipe):
    """Train, and write the tuned model as a plain sentence-transformers folder."""

    EXAMPLE: ClassVar[str] = "judged --format beir --out tuned"
    FIRST: ClassVar[Mapping[str, Sequence[str]]] = {
        "data": ("data", "format", "skip_bad"),
        "training": ("base", "mode", "epochs", "learning_rate", "resume"),
        "result": ("out", "replace", "json"),
    }

    data: CliPositionalArg[str] = Field(description="file or folder, or the URL of a service")
    out: Path = Field(description="new folder of the model")
    work: Path = Field(WORK / "train", description="folder of the states to resume from")
    resume: bool = Field(False, description="go on where the last run with these settings stopped")
    replace: bool = Field(False, description="replace an unfinished training or a run in the folder of the states")

    def answer(self) -> Answer:
        require_new(self.out)
        with self.alone_in(self.work, resume=self.resume, replace=self.replace):
            if not (self.resume or self.replace):
                run_folder.require_spare(self.work)
            return self._train()

    def _train(self) -> Answer:
        from trainer.ship import package  # noqa: PLC0415
        from trainer.train import start, tuning  # noqa: PLC0415
        from trainer.train.schedule import Schedule  # noqa: PLC0415

        recipe = part(self, Recipe)
        with self.loaded(self.data, self.work, recipe, resume=self.resume) as imported:
            dataset, how = splits.split(inspection.cleaned(imported.dataset), self.split, self.seed)
            with start.opened(recipe, allow_hub=self.allow_hub) as models:
                alone = Schedule(proven=False)
                tuned = tuning.tune(models, dataset, self.work, resume=self.resume, quiet=self.as_json, schedule=alone)
                tuned.model.load_state_dict(dict(tuned.ends.tuned))
                package.save(tuned.model, self.out, models.base, same_documents=recipe.mode == "query-adapter")
        rows = f"{tuned.decisions['loss']} on {tuned.decisions['rows']} rows"
        return Answer(f"{how}\n{rows}; in {self.out}", tuned.decisions)


class Merge(Splitting, Remembering):
    """Mix the weights of a base and a tuned model; the share is chosen on dev, or given."""

    EXAMPLE: ClassVar[str] = "all-MiniLM-L6-v2 tuned --data judged --format beir --out merged"

    base: CliPositionalArg[str] = Field(description="the model before")
    tuned: CliPositionalArg[str] = Field(description="the model that was trained from it")
    alpha: str = Field("auto", description="share of the tuned weights, 0 to 1, or auto")
    data: str = Field("", description="file or folder with the dev queries, for auto")
    max_general_loss: float = Field(_FORGOTTEN.default, ge=0, description=_FORGOTTEN.description)
    out: Path = Field(description="new folder of the model")

    def answer(self) -> Answer:
        require_new(self.out)
        from trainer import base_model  # noqa: PLC0415
        from trainer.ship import package  # noqa: PLC0415

        with (
            base_model.open(self.base, allow_hub=self.allow_hub) as before,
            base_model.open(self.tuned, allow_hub=self.allow_hub) as after,
        ):
            model = base_model.load(after)
            share = self._mix(model, base_model.load(before))
            package.save(model, self.out, before, same_documents=False)
        return Answer(f"{share.alpha:g} of the tuned weights; in {self.out}", share.facts())

    def _mix(self, model: SentenceTransformer, base: SentenceTransformer) -> Share:
        """Set the tuned `model` to a mix of its weights and the base's."""
        from trainer.train import merging  # noqa: PLC0415
        from trainer.train.merging import Ends, Share  # noqa: PLC0415
        from trainer.train.ranking_evaluator import RankingEvaluator  # noqa: PLC0415

        ends = Ends(merging.weights(base), merging.weights(model))
        if self.alpha != "auto":
            share = Share(_share(self.alpha), {}, {})
            merging.interpolate(model, ends.base, ends.tuned, share.alpha)
            return share
        if not self.data:
            raise BadData("the share is chosen on dev queries: name --data, or give --alpha 0.5")
        dataset, _ = self.divided(self.data)
        general = self.general_set(dataset)
        return merging.choose(
            model,
            ends,
            RankingEvaluator(dataset, dataset.good("dev"), "fp32"),
            Recipe.model_fields["alphas"].default,
            general=RankingEvaluator(general, general.held_out, "fp32") if general else None,
            max_general_loss=self.max_general_loss,
        )


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise BadData(f"--alpha {text!r} is no share: give a number from 0 to 1, or auto")
    return share
