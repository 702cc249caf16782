"""The provenance of a package, for its manifest and its model card."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from trainer.data.dataset import SPLITS, Dataset
from trainer.prove.gate import Verdict
from trainer.prove.report.model import Report
from trainer.train.start import Start


@dataclass(frozen=True)
class Provenance:
    """The models, recipe and data that a package was made from, the decisions of its run, and the proof.

    `reembeds` says that a service which replaces the base by the package embeds all documents again.
    """

    start: Start
    dataset: Dataset
    decisions: Mapping[str, JsonValue]
    report: Report
    verdict: Verdict
    reembeds: bool

    def queries(self) -> dict[str, int]:
        """How many queries with a good document each split has."""
        return {split: len(self.dataset.good(split)) for split in SPLITS}

    def lineage(self) -> dict[str, JsonValue]:
        """The facts that a manifest keeps. They hold no text of the data."""
        return {
            **self.start.lineage(),
            "data": {
                "digest": self.dataset.digest,
                "documents": len(self.dataset.corpus),
                "queries": dict(self.queries()),
                "judgements": len(self.dataset.judgements),
            },
            "recipe": self.start.recipe.facts(),
            "decisions": dict(self.decisions),
            "metrics": self.report.summary(),
            "verdict": self.verdict.model_dump(mode="json"),
            "embeds_documents_anew": self.reembeds,
        }
