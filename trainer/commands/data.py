"""The commands on data: inspect, import, generate, mine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, JsonValue
from pydantic_settings import CliPositionalArg

from trainer.commands.command import Answer, Command
from trainer.commands.flag_groups import BASE, SEED, Reading, Splitting, require_new
from trainer.data import beir, inspection, review
from trainer.data.dataset import Dataset
from trainer.data.problems import Problem, listed
from trainer.recipe import Recipe

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class Inspect(Reading):
    """Say what is wrong with judgements before anything is trained on them."""

    EXAMPLE: ClassVar[str] = "feedback.json --format good-bad"
    LISTS_PROBLEMS: ClassVar[bool] = True

    data: CliPositionalArg[str] = Field(
        description="file or folder, or the URL of a service or of DocsGPT's PostgreSQL"
    )
    base: str = Field(BASE, description="model by whose length limit documents are too long")

    def answer(self) -> Answer:
        imported = self.load(self.data)
        # Imported here, because it imports torch: data that cannot be read is told at once.
        from trainer import base_model  # noqa: PLC0415

        with base_model.open(self.base, allow_hub=self.allow_hub) as base:
            model = base_model.load(base, "cpu")
        findings = inspection.inspect(imported.dataset, tokens=_counter(model), limit=model.max_seq_length)
        return _with_problems(findings.table(), findings.facts(), imported.problems)


class Import(Reading):
    """Turn judgements of any format into the canonical form."""

    EXAMPLE: ClassVar[str] = "feedback.json --format good-bad --out judged"
    LISTS_PROBLEMS: ClassVar[bool] = True

    data: CliPositionalArg[str] = Field(
        description="file or folder, or the URL of a service or of DocsGPT's PostgreSQL"
    )
    out: Path = Field(description="new folder, in BEIR layout")

    def answer(self) -> Answer:
        beir.require_free(self.out)
        imported = self.load(self.data)
        beir.write(imported.dataset, self.out)
        counts = _counts(imported.dataset)
        if imported.review:
            review.write(imported.review, self.out / "review.jsonl")
            counts["put aside in review.jsonl"] = len(imported.review)
        return _with_problems(f"{_listed(counts)}; in {self.out}", dict(counts), imported.problems)


class Generate(Command):
    """Make weak pairs of a corpus that nobody has judged: titles, headings and crops as queries."""

    EXAMPLE: ClassVar[str] = "corpus.jsonl --out weak"

    corpus: CliPositionalArg[Path] = Field(description="corpus.jsonl")
    out: Path = Field(description="new folder, in BEIR layout")
    seed: int = Field(SEED, ge=0, description="seed of the random numbers: an equal one repeats the pairs")
    base: str = Field(BASE, description="model that must find the document of a pair, or the pair is left out")
    within: int = Field(20, ge=0, description="rank within which it must find the document; 0 keeps every pair")

    def answer(self) -> Answer:
        beir.require_free(self.out)
        from trainer import base_model  # noqa: PLC0415
        from trainer.prepare import weak_labels  # noqa: PLC0415

        pairs = weak_labels.generate(beir.read_corpus(self.corpus), self.seed)
        if self.within:
            with base_model.open(self.base, allow_hub=self.allow_hub) as base:
                pairs = weak_labels.consistent(base_model.load(base), pairs, self.within, quiet=self.as_json)
        beir.write(pairs, self.out)
        counts = _counts(pairs)
        return Answer(f"{_listed(counts)}; in {self.out}", dict(counts))


class Mine(Splitting):
    """Find hard negatives for the training queries among documents that nobody judged, to look at before training."""

    EXAMPLE: ClassVar[str] = "judged --format beir --out mined.jsonl"

    data: CliPositionalArg[str] = Field(description="file or folder, or the URL of a service")
    out: Path = Field(description="new file of JSON lines with query, pos and neg, in FlagEmbedding's format")
    base: str = Field(BASE, description="model that takes the negatives for answers")
    negatives: int = Field(3, ge=1, description="hard negatives for each query and good document")
    margin: float = Field(0.05, ge=0, lt=1, description=Recipe.model_fields["margin"].description)

    def answer(self) -> Answer:
        require_new(self.out)
        from trainer import base_model  # noqa: PLC0415
        from trainer.prepare import mining  # noqa: PLC0415

        dataset, _ = self.divided(self.data)
        with base_model.open(self.base, allow_hub=self.allow_hub) as base:
            mined = mining.mine(base_model.load(base), dataset, per_row=self.negatives, margin=self.margin)
        self.out.parent.mkdir(parents=True, exist_ok=True)
        mining.write(mined, dataset, self.out)
        count = sum(map(len, mined.values()))
        return Answer(
            f"{count} hard negatives for {len(mined)} pairs of query and good document; in {self.out}",
            {"negatives": count, "pairs": len(mined)},
        )


def _counts(dataset: Dataset) -> dict[str, int]:
    return {
        "queries": len(dataset.queries),
        "documents": len(dataset.corpus),
        "good": sum(judgement.good and not judgement.weak for judgement in dataset.judgements),
        "bad": sum(not judgement.good and not judgement.weak for judgement in dataset.judgements),
        "weak": sum(judgement.weak for judgement in dataset.judgements),
    }


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in counts.items())


def _with_problems(text: str, facts: dict[str, JsonValue], problems: Sequence[Problem]) -> Answer:
    left_out = f"\n\nleft out:\n{listed(problems)}" if problems else ""
    return Answer(text + left_out, facts | {"problems": [str(problem) for problem in problems]})


def _counter(model: SentenceTransformer) -> Callable[[list[str]], list[int]]:
    return lambda texts: [len(ids) for ids in model.tokenizer(texts, truncation=False, verbose=False)["input_ids"]]
