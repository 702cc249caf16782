"""The commands of `python -m trainer`: their flags, and what each does with them.

A command answers with text for people and facts for machines (`--json`), on standard output; all that is
said on the way goes to standard error.
"""

import json
import os
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from pydantic_settings import BaseSettings, CliPositionalArg, CliSubCommand, SettingsConfigDict
from sentence_transformers import SentenceTransformer

from service import sample
from service.checkpoints.checkpoint import NAME
from trainer import base_model as bases
from trainer import run
from trainer.data import beir, formats, inspection
from trainer.data.dataset import Dataset
from trainer.data.problems import Problem, listed
from trainer.errors import BadData, NotBetter
from trainer.prepare import mining, splits
from trainer.prepare import weak_labels as weak
from trainer.prove import evaluation, gate, report
from trainer.prove.evaluation import Report
from trainer.prove.gate import Thresholds
from trainer.recipe import Recipe, SplitMode
from trainer.ship import delivery, package
from trainer.train import merging, tuning
from trainer.train.training import RankingEvaluator

_BASE = Recipe.model_fields["base"].default
_SEED = Recipe.model_fields["seed"].default
_FORGOTTEN = Thresholds.model_fields["max_general_loss"]
_WORK = Path("runs")
_ADMIN_KEY = "its key; none: INSTAR_ADMIN_KEY of the environment, which nobody else on this machine can see"
_T = TypeVar("_T", bound=BaseModel)


def _address(url: str | None) -> str | None:
    """Raises BadData for an address without a scheme, which no client can use."""
    if url is not None and "://" not in url:
        raise BadData(f"{url} is no URL: write http:// in front: http://{url}")
    return url


Address = Annotated[str, AfterValidator(_address)]


@dataclass(frozen=True)
class Answer:
    """What a command came to."""

    text: str
    facts: dict[str, JsonValue]
    exit_code: int = 0


class Command(BaseModel, ABC):
    """Flags that every command has."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    as_json: bool = Field(False, alias="json", description="answer in JSON, and show no progress")
    allow_hub: bool = Field(False, description="let Hugging Face names download")

    @abstractmethod
    def answer(self) -> Answer:
        """Do it; raises a TrainerError that says what stood in the way."""


class _Reading(Command):
    """Flags of a command that reads judgements."""

    format: str = Field("", description=f"what the data is in: {', '.join(formats.FORMATS)}")
    corpus: Path | None = Field(None, description="corpus.jsonl that DocsGPT's cut sources are matched to")
    skip_bad: bool = Field(False, description="leave out rows that cannot be used, instead of stopping at them")

    def load(self, source: str) -> formats.Imported:
        """The data at `source`, which may be a URL."""
        where = source if "://" in source else Path(source)
        return formats.load(where, self.format, skip_bad=self.skip_bad, corpus=self.corpus)


class _Splitting(_Reading):
    """Flags of a command that needs train, dev and test."""

    split: SplitMode = Field("auto", description=Recipe.model_fields["split"].description)
    seed: int = Field(_SEED, ge=0, description="repeats the splits and all that is drawn")

    def divided(self, source: str) -> tuple[Dataset, str]:
        """The data at `source`, cleaned and with splits, and a sentence about these."""
        return splits.split(inspection.cleaned(self.load(source).dataset), self.split, self.seed)


class _Remembering(Command):
    """Flag of a command that asks what was forgotten."""

    general: Path | None = Field(
        None, description="BEIR folder on which nothing may be forgotten; none: the sample corpus"
    )

    def general_set(self, dataset: Dataset) -> Dataset | None:
        """The set that is asked for, or the sample corpus unless that is what `dataset` is made of."""
        if self.general is not None:
            return beir.read(self.general)
        own = formats.load(sample.file(), "good-bad", skip_bad=False).dataset
        return None if own.corpus.keys() == dataset.corpus.keys() else own


class Inspect(_Reading):
    """Say what is wrong with judgements before anything is trained on them."""

    data: CliPositionalArg[str] = Field(description="file or folder, or the URL of DocsGPT's PostgreSQL")
    base: str = Field(_BASE, description="model whose length limit the documents are held against")

    def answer(self) -> Answer:
        imported = self.load(self.data)
        with bases.found(self.base, allow_hub=self.allow_hub) as base:
            model = bases.load(base, "cpu")
        found = inspection.inspect(imported.dataset, tokens=_counter(model), limit=model.max_seq_length)
        return _with_problems(found.table(), found.facts(), imported.problems)


class Import(_Reading):
    """Turn judgements of any format into the canonical form."""

    data: CliPositionalArg[str] = Field(description="file or folder, or the URL of DocsGPT's PostgreSQL")
    out: Path = Field(description="new folder in BEIR layout")

    def answer(self) -> Answer:
        imported = self.load(self.data)
        beir.write(imported.dataset, self.out)
        counts = _counts(imported.dataset)
        if imported.review:
            formats.write_review(imported.review, self.out / "review.jsonl")
            counts["put aside in review.jsonl"] = len(imported.review)
        return _with_problems(f"{_listed(counts)}; in {self.out}", dict(counts), imported.problems)


class Generate(Command):
    """Make weak pairs of a corpus that nobody has judged: titles, headings and crops as queries."""

    corpus: CliPositionalArg[Path] = Field(description="corpus.jsonl")
    out: Path = Field(description="new folder in BEIR layout")
    seed: int = Field(_SEED, ge=0, description="repeats it")
    base: str = Field(_BASE, description="model that has to find a pair's document, or the pair is left out")
    within: int = Field(20, ge=0, description="rank within which it has to; 0 keeps every pair")

    def answer(self) -> Answer:
        made = weak.generate(beir.read_corpus(self.corpus), self.seed)
        if self.within:
            with bases.found(self.base, allow_hub=self.allow_hub) as base:
                made = weak.consistent(bases.load(base), made, self.within, quiet=self.as_json)
        beir.write(made, self.out)
        counts = _counts(made)
        return Answer(f"{_listed(counts)}; in {self.out}", dict(counts))


class Mine(_Splitting):
    """Find hard negatives for the training queries that nobody judged, to look at before they are trained on."""

    data: CliPositionalArg[str] = Field(description="file or folder")
    out: Path = Field(description="new file of JSON lines with query, pos and neg, as FlagEmbedding has them")
    base: str = Field(_BASE, description="model that takes them for answers")
    negatives: int = Field(3, ge=1, description="for each query and good document")
    margin: float = Field(0.05, ge=0, lt=1, description=Recipe.model_fields["margin"].description)

    def answer(self) -> Answer:
        dataset, _ = self.divided(self.data)
        with bases.found(self.base, allow_hub=self.allow_hub) as base:
            mined = mining.mine(bases.load(base), dataset, per_row=self.negatives, margin=self.margin)
        mining.write(mined, dataset, self.out)
        count = sum(map(len, mined.values()))
        return Answer(
            f"{count} hard negatives for {len(mined)} pairs of query and good document; in {self.out}",
            {"negatives": count, "pairs": len(mined)},
        )


class Train(_Reading, Recipe):
    """Train, and write the tuned model as a plain sentence-transformers folder."""

    data: CliPositionalArg[str] = Field(description="file or folder")
    out: Path = Field(description="new folder of the model")
    work: Path = Field(_WORK / "train", description="folder of what is needed to resume")
    resume: bool = Field(False, description="go on where the last run with these settings stopped")

    def answer(self) -> Answer:
        _require_new(self.out)
        recipe = _part(self, Recipe)
        dataset, how = splits.split(inspection.cleaned(self.load(self.data).dataset), self.split, self.seed)
        with bases.found(self.base, allow_hub=self.allow_hub) as base:
            tuned = tuning.tune(base, dataset, recipe, self.work, resume=self.resume, quiet=self.as_json)
            tuned.model.load_state_dict(dict(tuned.tuned))
            package.save(tuned.model, self.out, base, same_documents=recipe.mode == "query-adapter")
        rows = f"{tuned.decisions['loss']} on {tuned.decisions['rows']} rows"
        return Answer(f"{how}\n{rows}; in {self.out}", tuned.decisions)


class Evaluate(_Splitting, _Remembering):
    """Compare two models on the test queries, over the whole corpus."""

    model: CliPositionalArg[str] = Field(description="the model after")
    data: CliPositionalArg[str] = Field(description="file or folder")
    baseline: str = Field(_BASE, description="the model before")
    out: Path = Field(Path("report"), description="folder for report.json and report.html")

    def answer(self) -> Answer:
        dataset, how = self.divided(self.data)
        with (
            bases.found(self.baseline, allow_hub=self.allow_hub) as before,
            bases.found(self.model, allow_hub=self.allow_hub) as after,
        ):
            found = evaluation.compare(
                bases.load(before),
                bases.load(after),
                dataset,
                "test",
                components=splits.components(dataset),
                general=self.general_set(dataset),
                seed=self.seed,
                base_name=before.id,
                tuned_name=after.id,
                split_note=how,
                package_faithful=None,
                quiet=self.as_json,
            )
        verdict = gate.judge(found, Thresholds())
        report.write(found, verdict, self.out)
        enough = verdict.outcome != "INSUFFICIENT"
        return Answer(f"{found.table(enough=enough)}\n\n{self.out / 'report.html'}", found.model_dump(mode="json"))


class Merge(_Splitting, _Remembering):
    """Mix the weights of a base and a tuned model; the share is chosen on dev, or given."""

    base: CliPositionalArg[str] = Field(description="the model before")
    tuned: CliPositionalArg[str] = Field(description="the model that was trained from it")
    alpha: str = Field("auto", description="share of the tuned weights, 0 to 1, or auto")
    data: str = Field("", description="file or folder with the dev queries, for auto")
    max_general_loss: float = Field(_FORGOTTEN.default, ge=0, description=_FORGOTTEN.description)
    out: Path = Field(description="new folder of the model")

    def answer(self) -> Answer:
        with (
            bases.found(self.base, allow_hub=self.allow_hub) as before,
            bases.found(self.tuned, allow_hub=self.allow_hub) as after,
        ):
            model = bases.load(after)
            base, tuned = merging.weights(bases.load(before)), merging.weights(model)
            if self.alpha == "auto":
                if not self.data:
                    raise BadData("the share is chosen on dev queries: name --data, or give --alpha 0.5")
                dataset, _ = self.divided(self.data)
                general = self.general_set(dataset)
                share = merging.choose(
                    model,
                    base,
                    tuned,
                    RankingEvaluator(dataset, dataset.good("dev"), "fp32"),
                    Recipe.model_fields["alphas"].default,
                    general=RankingEvaluator(general, general.held_out, "fp32") if general else None,
                    max_general_loss=self.max_general_loss,
                )
            else:
                share = merging.Share(_share(self.alpha), {}, {})
                merging.interpolate(model, base, tuned, share.alpha)
            _require_new(self.out)
            package.save(model, self.out, before, same_documents=False)
        return Answer(f"{share.alpha:g} of the tuned weights; in {self.out}", share.facts())


class Gate(Thresholds, Command):
    """Judge a report: PROMOTE, HOLD, REJECT or INSUFFICIENT, with reasons."""

    report: CliPositionalArg[Path] = Field(description="report.json")

    def answer(self) -> Answer:
        try:
            found = Report.model_validate_json(self.report.read_bytes())
        except (OSError, ValidationError) as error:
            raise BadData(f"{self.report} is no report ({error}): make one with evaluate or run") from error
        verdict = gate.judge(found, _part(self, Thresholds))
        code = 0 if verdict.promoted else NotBetter.exit_code
        return Answer(verdict.text(), verdict.model_dump(mode="json"), code)


class _Signing(Command):
    """Flag of a command that makes a package."""

    sign_with: Path | None = Field(None, description="file of the private Ed25519 key (PEM) that signs the package")


class _Publishing(Command):
    """Flags of a command that puts a package into the folder of checkpoints."""

    replace: bool = Field(False, description="replace what has the same name")

    def require_free(self, folder: Path, what: str, otherwise: str) -> None:
        """Raise BadData if `folder` has something that nobody said to replace."""
        if not self.replace and folder.exists() and (folder.is_file() or any(folder.iterdir())):
            raise BadData(f"there is already {what} {folder}: {otherwise}, or replace it with --replace")


class Package(_Signing, _Publishing):
    """Make a checkpoint with a manifest of a trained model."""

    model: CliPositionalArg[Path] = Field(description="sentence-transformers folder")
    out: Path = Field(Path("checkpoints"), description="folder of checkpoints")
    name: str = Field(description="name to reload it by", pattern=f"^{NAME.pattern}$")
    zip: bool = Field(False, description="also as a zip")
    unproven: bool = Field(False, description="package it although no gate has promoted it")

    def answer(self) -> Answer:
        self.require_free(self.out / self.name, "a package", "choose another --name")
        with bases.found(str(self.model)) as source:
            outcome = package.outcome(source)
            if outcome != "PROMOTE" and not self.unproven:
                said = f"the gate said {outcome} of it" if outcome else "no gate has judged it"
                raise BadData(f"{self.model} is not proven better, {said}: package it all the same with --unproven")
            made = package.repackage(source, self.name, self.out, package.signer(self.sign_with))
        return _published(made.id, self.out, self.name, self.zip)


class Verify(Command):
    """Check a package as the service would: file hashes, kinds, and vectors."""

    package: CliPositionalArg[str] = Field(description="folder or zip")

    def answer(self) -> Answer:
        found = package.verify(self.package)
        return Answer(
            f"{found.id} is sound: {len(found.files)} files, document fingerprint {found.fingerprint[:12]}",
            {"id": found.id, "document_fingerprint": found.fingerprint},
        )


class Send(_Splitting):
    """Give a service the judged test questions, by which it judges every reload."""

    data: CliPositionalArg[str] = Field(description="file or folder, or the URL of DocsGPT's PostgreSQL")
    url: Address = Field(description="URL of the service, whose documents have the same ids")
    collection: str = Field("default", description="collection of the documents there")
    admin_key: str | None = Field(None, description=_ADMIN_KEY)

    def answer(self) -> Answer:
        divided, how = self.divided(self.data)
        key = self.admin_key or os.environ.get("INSTAR_ADMIN_KEY")
        sent = delivery.judge_by(
            self.url, divided, "test", collection=self.collection, key=key, source=f"the test questions of {self.data}"
        )
        changes = ", ".join(f"{sent[what]} {what}" for what in ("added", "changed", "removed"))
        told = (
            f"{self.url} judges reloads by {sent['queries']} questions ({sent['judgements']} judgements: {changes}"
            f" in {self.collection}); {how}"
        )
        if sent["unresolved"]:
            told += (
                f"\n{sent['unresolved']} judgements do not count, because {self.collection} has not their documents:"
                " GET /admin/judgements?unresolved=true lists them"
            )
        return Answer(told, {**sent})


class Run(_Reading, _Remembering, _Signing, _Publishing, Recipe, Thresholds):
    """All of it: read, split, mine, train, merge, package, evaluate, judge. Flags win over the TOML file."""

    config: Path | None = Field(None, description="TOML file with the names of these flags")
    data: str = Field(description="file or folder, or the URL of DocsGPT's PostgreSQL")
    out: Path = Field(Path("checkpoints"), description="folder of checkpoints, for a promoted package")
    name: str | None = Field(None, description="name to reload it by; none: the data's", pattern=f"^{NAME.pattern}$")
    zip: bool = Field(False, description="also as a zip")
    work: Path | None = Field(None, description="folder of the run; none: one below runs/")
    resume: bool = Field(False, description="go on where the last run with these settings stopped")
    reload: Address | None = Field(None, description="URL of a service that is to go over to a promoted package")
    admin_key: str | None = Field(None, description=_ADMIN_KEY)

    @model_validator(mode="before")
    @classmethod
    def _read_config(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not given.get("config"):
            return given
        try:
            content = tomllib.loads(Path(given["config"]).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise BadData(f"{given['config']} cannot be read ({error}): mend it, or give flags") from error
        content = {key.replace("-", "_"): value for key, value in content.items()}
        for key in content:
            if key not in cls.model_fields:
                near = get_close_matches(key, cls.model_fields, 1)
                meant = f": is {near[0]} meant?" if near else ": see run --help"
                raise BadData(f"{given['config']} has no use for {key}{meant}")
        return content | given

    def answer(self) -> Answer:
        # Before anything that takes long.
        sign = package.signer(self.sign_with)
        name = self.name or _name(self.data)
        work = self.work or _WORK / name
        if not self.resume:
            self.require_free(work, "a run in", "go on with it by --resume, choose another --name")
        self.require_free(self.out / name, "a package", "choose another --name")
        imported = self.load(self.data)
        dataset = inspection.cleaned(imported.dataset)
        outcome = run.run(
            dataset,
            _part(self, Recipe),
            _part(self, Thresholds),
            work,
            name,
            general=self.general_set(dataset),
            allow_hub=self.allow_hub,
            resume=self.resume,
            quiet=self.as_json,
            sign=sign,
        )
        facts: dict[str, JsonValue] = {
            "verdict": outcome.verdict.model_dump(mode="json"),
            "checkpoint": outcome.checkpoint.id,
            "metrics": outcome.report.summary(),
            "folder": str(outcome.folder),
            "problems": [str(problem) for problem in imported.problems],
        }
        enough = outcome.verdict.outcome != "INSUFFICIENT"
        table = outcome.report.table(enough=enough)
        told = f"{table}\n\n{outcome.verdict.text()}\n\n{outcome.folder.parent / 'report.html'}"
        if not outcome.verdict.promoted:
            return Answer(f"{told}\nnot published; the package is {outcome.folder}", facts, NotBetter.exit_code)
        package.publish(outcome.folder, self.out / name)
        published = _published(outcome.checkpoint.id, self.out, name, self.zip)
        facts |= published.facts
        if self.reload is None:
            return Answer(f"{told}\n{published.text}", facts)
        key = self.admin_key or os.environ.get("INSTAR_ADMIN_KEY")
        job = delivery.reload(self.reload, outcome.checkpoint.id, self.out / name, key=key, quiet=self.as_json)
        warned = "".join(f"\n{sentence}" for sentence in job.get("warnings", ()))
        return Answer(
            f"{told}\n{outcome.checkpoint.id} is in {self.out / name}, and it is generation"
            f" {job['generation']} of {self.reload}{warned}",
            facts | {"job": job},
        )


class Trainer(BaseSettings):
    """From judgements to a checkpoint that is proven better."""

    model_config = SettingsConfigDict(
        env_prefix="INSTAR_TRAINER_",
        cli_prog_name="python -m trainer",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
        cli_use_class_docs_for_groups=True,
    )

    inspect: CliSubCommand[Inspect]
    import_: CliSubCommand[Import] = Field(alias="import")
    generate: CliSubCommand[Generate]
    mine: CliSubCommand[Mine]
    train: CliSubCommand[Train]
    evaluate: CliSubCommand[Evaluate]
    merge: CliSubCommand[Merge]
    gate: CliSubCommand[Gate]
    package: CliSubCommand[Package]
    verify: CliSubCommand[Verify]
    send: CliSubCommand[Send]
    run: CliSubCommand[Run]


def _part(whole: BaseModel, part: type[_T]) -> _T:
    """The settings in `whole` that belong to the model `part`."""
    return part(**{name: getattr(whole, name) for name in part.model_fields})


def _published(identity: str, folder: Path, name: str, zipped: bool) -> Answer:
    if zipped:
        package.pack(folder / name, folder / f"{name}.zip")
    reload = json.dumps({"model": name})
    return Answer(
        f"{identity} is in {folder / name}; reload it with\n"
        f"  curl -d '{reload}' -H 'Content-Type: application/json' http://127.0.0.1:8080/admin/reload",
        {"checkpoint": identity, "folder": str(folder / name)},
    )


def _name(data: str) -> str:
    """A checkpoint name out of the name of the data."""
    stem = Path(data).resolve().name.partition(".")[0]
    return NAME.match(f"{stem}-tuned")[0] if NAME.match(stem) else "tuned"  # type: ignore[index]


def _counts(dataset: Dataset) -> dict[str, int]:
    return {
        "queries": len(dataset.queries),
        "documents": len(dataset.corpus),
        "good": sum(judgement.good and not judgement.weak for judgement in dataset.judgements),
        "bad": sum(not judgement.good for judgement in dataset.judgements),
        "weak": sum(judgement.weak for judgement in dataset.judgements),
    }


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in counts.items())


def _with_problems(text: str, facts: dict[str, JsonValue], problems: Sequence[Problem]) -> Answer:
    told = f"\n\nleft out:\n{listed(problems)}" if problems else ""
    return Answer(text + told, facts | {"problems": [str(problem) for problem in problems]})


def _counter(model: SentenceTransformer) -> Callable[[list[str]], list[int]]:
    return lambda texts: [len(ids) for ids in model.tokenizer(texts, truncation=False, verbose=False)["input_ids"]]


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise BadData(f"--alpha {text!r} is no share: give a number from 0 to 1, or auto")
    return share


def _require_new(folder: Path) -> None:
    if folder.exists():
        raise BadData(f"{folder} exists: name a new folder with --out, or remove that one")
