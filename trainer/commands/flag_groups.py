"""Flags that several commands share, and the methods that use them."""

import os
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, Field

from service import sample
from trainer.commands.command import Command
from trainer.data import beir, formats, inspection
from trainer.data.dataset import Dataset
from trainer.errors import BadData
from trainer.prepare import splits
from trainer.recipe import Recipe, SplitMode

BASE = Recipe.model_fields["base"].default
SEED = Recipe.model_fields["seed"].default
WORK = Path("runs")
ADMIN_KEY_HELP = (
    "the service's key; none: INSTAR_ADMIN_KEY of the environment, which other users of this machine cannot see"
)
_T = TypeVar("_T", bound=BaseModel)


def _address(url: str | None) -> str | None:
    """The address. Raises BadData if it has no scheme, because no client can use it."""
    if url is not None and "://" not in url:
        raise BadData(f"{url} is no URL: write http:// in front: http://{url}")
    return url


Address = Annotated[str, AfterValidator(_address)]


class Reading(Command):
    """A command that reads judgements."""

    format: str = Field("", description=f"format of the data: {', '.join(formats.FORMATS)}")
    corpus: Path | None = Field(None, description="corpus.jsonl with the whole documents that an export refers to")
    skip_bad: bool = Field(False, description="leave out rows that cannot be used; without it they stop the command")

    def load(self, source: str) -> formats.Imported:
        """The data at `source`, which may be a URL."""
        where = source if "://" in source else Path(source)
        return formats.load(where, self.format, skip_bad=self.skip_bad, corpus=self.corpus)


class Splitting(Reading):
    """A command that needs train, dev and test."""

    split: SplitMode = Field("auto", description=Recipe.model_fields["split"].description)
    seed: int = Field(SEED, ge=0, description="seed of the random numbers: an equal one repeats the splits")

    def divided(self, source: str) -> tuple[Dataset, str]:
        """The data at `source`, cleaned and split, and a sentence that says how it was split."""
        return splits.split(inspection.cleaned(self.load(source).dataset), self.split, self.seed)


class Remembering(Command):
    """A command that checks what the tuned model has forgotten."""

    general: Path | None = Field(None, description="BEIR folder that shows what was forgotten; none: the sample corpus")

    def general_set(self, dataset: Dataset) -> Dataset | None:
        """The set of the flag, or else the sample corpus. None if `dataset` has the documents of the sample corpus."""
        if self.general is not None:
            return beir.read(self.general)
        sample_set = formats.load(sample.file(), "good-bad", skip_bad=False).dataset
        return None if sample_set.corpus.keys() == dataset.corpus.keys() else sample_set


class Signing(Command):
    """A command that makes a package and may sign it."""

    sign_with: Path | None = Field(None, description="file of the private Ed25519 key (PEM) that signs the package")


class Publishing(Command):
    """A command that puts a package into the folder of checkpoints."""

    replace: bool = Field(False, description="replace a run or package that has this name")

    def require_free(self, folder: Path, what: str, otherwise: str) -> None:
        """Raise BadData if `folder` holds anything and `--replace` is not set."""
        if not self.replace and folder.exists() and (folder.is_file() or any(folder.iterdir())):
            raise BadData(f"there is already {what} {folder}: {otherwise}, or replace it with --replace")


def part(whole: BaseModel, model: type[_T]) -> _T:
    """A `model` with the values that `whole` has for its fields."""
    return model(**{name: getattr(whole, name) for name in model.model_fields})


def admin_key(flag: str | None) -> str | None:
    """The key of the flag, or else the key of the environment."""
    return flag or os.environ.get("INSTAR_ADMIN_KEY")


def require_new(folder: Path) -> None:
    """Raise BadData if `folder` exists."""
    if folder.exists():
        raise BadData(f"{folder} exists: name a new folder with --out, or delete that one")
