"""Flags that several commands share, and the methods that use them."""

import os
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, PlainSerializer

from trainer.commands.command import Command
from trainer.data import beir, fetching, formats, inspection, later
from trainer.data.dataset import Dataset, Split
from trainer.data.problems import listed
from trainer.data.texts import normalised
from trainer.errors import BadData
from trainer.prepare import splits
from trainer.progress import say
from trainer.prove.report.links import Links
from trainer.recipe import Recipe, SplitMode
from trainer.train import durations

BASE = Recipe.model_fields["base"].default
SEED = Recipe.model_fields["seed"].default
WORK = Path("runs")
ADMIN_KEY_HELP = (
    "the service's key; none: INSTAR_ADMIN_KEY of the environment, which other users of this machine cannot see"
)
_SOURCES = ("person", "sent", "feedback", "click", "generated")
_T = TypeVar("_T", bound=BaseModel)
Questions = Literal["test", "all"]


def _address(url: str | None) -> str | None:
    """The address. Raises BadData if it has no scheme, because no client can use it."""
    if url is not None and "://" not in url:
        raise BadData(f"{url} is no URL: write http:// in front: http://{url}")
    return url


def _web_address(url: str | None) -> str | None:
    """The address. Raises BadData if no browser can open it."""
    if url is not None and Links.to(url) is None:
        raise BadData(f"{url} is no address that a browser opens: write http:// or https://, and the service's host")
    return url


Duration = Annotated[
    float, BeforeValidator(durations.seconds), PlainSerializer(durations.typed, when_used="json-unless-none")
]
Address = Annotated[str, AfterValidator(_address)]
WebAddress = Annotated[str, AfterValidator(_web_address)]


class Reading(Command):
    """A command that reads judgements."""

    GROUP: ClassVar[str] = "data"
    # Whether the answer of the command has all problems of the data.
    LISTS_PROBLEMS: ClassVar[bool] = False

    format: str = Field("", description=f"format of the data: {', '.join(formats.FORMATS)}")
    corpus: Path | None = Field(
        None, description="corpus.jsonl, or a service's export, with the whole documents that an export refers to"
    )
    judged: Path | None = Field(
        None,
        description="CSV or JSON lines with query, document and good: judgements made since, as pool asks for them",
    )
    skip_bad: bool = Field(False, description="leave out rows that cannot be used; without it they stop the command")
    from_collection: str | None = Field(None, description="collection of the service that is read; none: all of them")
    sources: str = Field(
        "", alias="with", description="sources of the service's judgements, e.g. feedback,person; none: all of them"
    )
    key_env: str | None = Field(
        None, description="environment variable with the service's admin key; none: INSTAR_ADMIN_KEY"
    )

    def load(self, source: str, kept_in: Path | None = None) -> formats.Imported:
        """The data at `source`, which may be a URL, with the judgements of `--judged`.

        What is fetched from a service stays in `kept_in` (None: nowhere), where an earlier fetch is gone on with.
        """
        imported = self._load(source, kept_in)
        if self.judged is None:
            return imported
        dataset, problems = later.added(imported.dataset, self.judged, skip_bad=self.skip_bad)
        if problems and not self.LISTS_PROBLEMS:
            say(listed(problems), quiet=self.as_json)
        problems = [*imported.problems, *problems]
        return replace(imported, dataset=dataset, problems=problems, before=imported.dataset)

    def is_of_service(self, source: str) -> bool:
        """Whether the data has to be fetched from a service."""
        return self.format == formats.INSTAR and fetching.is_url(source)

    def _load(self, source: str, kept_in: Path | None = None) -> formats.Imported:
        if self.is_of_service(source):
            return self._load_from_service(source, kept_in)
        of_services = {"with": self.sources, "key-env": self.key_env, "from-collection": self.from_collection}
        for flag, value in of_services.items():
            if value:
                raise BadData(f"--{flag} is for the URL of a service, with --format {formats.INSTAR}: leave it out")
        where = source if "://" in source else Path(source)
        return formats.load(where, self.format, skip_bad=self.skip_bad, corpus=self.corpus)

    def _load_from_service(self, url: str, kept_in: Path | None) -> formats.Imported:
        if self.corpus is not None:
            raise BadData(f"--corpus goes with files: leave it out, since {url} has its documents")
        request = fetching.Request(url, self.from_collection, _sources(self.sources))
        with ExitStack() as stack:
            folder = kept_in or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="instar-data-")))
            fetching.fetch(request, folder, key=_key_of(self.key_env), quiet=self.as_json)
            return formats.load(folder, self.format, skip_bad=self.skip_bad)


class Splitting(Reading):
    """A command that needs train, dev and test."""

    GROUP: ClassVar[str] = "data"

    split: SplitMode = Field("auto", description=Recipe.model_fields["split"].description)
    seed: int = Field(SEED, ge=0, description="seed of the random numbers: an equal one repeats the splits")

    def divided(self, source: str) -> tuple[Dataset, str]:
        """The data at `source`, cleaned and split, and a sentence that says how it was split.

        Judgements of `--judged` come after the split, which would be another one with them: a question that a model was
        trained on could become one that tests it.
        """
        whole = inspection.cleaned(self._load(source).dataset)
        dataset, how = splits.split(whole, self.split, self.seed)
        dataset, notes = self._with_later(dataset, quiet=self.as_json)
        return dataset, "; ".join((how, *notes))

    def _with_later(self, dataset: Dataset, *, quiet: bool) -> tuple[Dataset, tuple[str, ...]]:
        """`dataset` with the judgements of `--judged`, and notes on what they change."""
        if self.judged is None:
            return dataset, ()
        dataset, problems = later.added(dataset, self.judged, skip_bad=self.skip_bad)
        if problems:
            say(listed(problems), quiet=quiet)
        notes = tuple(str(problem) for problem in problems if problem.severity == "note")
        return inspection.cleaned(dataset), notes


@dataclass(frozen=True)
class Asked:
    """Data whose split test has the queries that are asked, and notes on what `--judged` changes.

    `whole` is that data as it was read, before `--judged`.
    """

    dataset: Dataset
    notes: tuple[str, ...]
    whole: Dataset


class Asking(Splitting):
    """A command that asks models the test queries, or all that are judged. It says in its flag `questions` which."""

    GROUP: ClassVar[str] = "data"

    questions: Questions = "test"

    def asked(self, source: str) -> Asked:
        """The data at `source`, and the queries that are asked. Nothing is split if that is all of them."""
        whole = self._load(source).dataset
        cleaned = inspection.cleaned(whole)
        if self.questions == "test":
            dataset, _ = splits.split(cleaned, self.split, self.seed)
            return Asked(*self._with_later(dataset, quiet=self.as_json), whole)
        dataset, notes = self._with_later(cleaned.with_splits({}), quiet=self.as_json)
        names: dict[str, Split] = dict.fromkeys(dataset.good(), "test")
        if not names:
            raise BadData("nobody has judged a document good, so there is nothing to ask: judge some questions by hand")
        return Asked(splits.without_leaks(dataset.with_splits(names)), notes, whole)

    def read_by_run(self, whole: Dataset) -> list[Dataset]:
        """The data as a run may have divided it: without the judgements of `--judged`, and with them."""
        same = [inspection.cleaned(whole)]
        if self.judged is not None:
            same.append(inspection.cleaned(later.added(whole, self.judged, skip_bad=self.skip_bad)[0]))
        return same


class Remembering(Command):
    """A command that checks what the tuned model has forgotten."""

    GROUP: ClassVar[str] = "proof"

    general: Path | None = Field(None, description="BEIR folder that shows what was forgotten; none: the sample corpus")

    def general_set(self, dataset: Dataset) -> Dataset | None:
        """The set of the flag, or else the sample corpus.

        None if `dataset` has the documents of the sample corpus, or a question of it: what is trained on is not
        forgotten. Raises BadData if the set of the flag has no question that a person judged.
        """
        if self.general is not None:
            general = beir.read(self.general)
            if not general.held_out:
                raise BadData(
                    f"in {self.general} no question has a document that a person judged good, so it does not show what"
                    " was forgotten: name another folder with --general, or leave it out"
                )
            return general
        from service import sample  # noqa: PLC0415

        sample_set = formats.load(sample.file(), "good-bad", skip_bad=False).dataset
        questions, of_sample = (set(map(normalised, each.queries.values())) for each in (dataset, sample_set))
        return None if sample_set.corpus.keys() == dataset.corpus.keys() or questions & of_sample else sample_set


class Reporting(Command):
    """A command that writes a report."""

    GROUP: ClassVar[str] = "proof"

    console: WebAddress | None = Field(
        None,
        description="URL of the service to whose console the report's questions lead; none: that of the data, or"
        " that which reloads the package",
    )


class Signing(Command):
    """A command that makes a package and may sign it."""

    GROUP: ClassVar[str] = "package"

    sign_with: Path | None = Field(None, description="file of the private Ed25519 key (PEM) that signs the package")


class Publishing(Command):
    """A command that puts a package into the folder of checkpoints."""

    GROUP: ClassVar[str] = "package"

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


def _sources(flag: str) -> tuple[str, ...]:
    """The sources of the flag. Raises BadData for one that there is not."""
    names = tuple(dict.fromkeys(name.strip() for name in flag.split(",") if name.strip()))
    for name in names:
        if name not in _SOURCES:
            raise BadData(f"--with {name} is no source of judgements: use some of {','.join(_SOURCES)}")
    return names


def _key_of(variable: str | None) -> str | None:
    """The key in that environment variable. Raises BadData if the variable is not set."""
    if variable is None:
        return admin_key(None)
    key = os.environ.get(variable)
    if not key:
        raise BadData(f"--key-env {variable}: there is no such variable in the environment, so set it to the key first")
    return key


def require_new(path: Path) -> None:
    """Raise BadData if `path` exists."""
    if path.exists():
        raise BadData(f"{path} exists: name a new one with --out, or delete that one")
