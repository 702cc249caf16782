"""The model card of a package: its origin and its results in numbers. It holds no row of anybody's data."""

from service.checkpoints.manifest import MANIFEST
from trainer.prove.report.model import Report
from trainer.ship.provenance import Provenance

_DENSE = """pipeline_tag: sentence-similarity
tags: [sentence-transformers, sentence-similarity, feature-extraction]"""
_RERANKER = """pipeline_tag: text-ranking
tags: [sentence-transformers, cross-encoder, reranker]"""


def write(name: str, provenance: Provenance, *, loss: str, alpha: float) -> str:
    """The card as Markdown, with the front matter that Hugging Face reads. `alpha` is the share of tuned weights.

    Its text is part of the package, so another wording changes every checkpoint id.
    """
    dataset, report, verdict = provenance.dataset, provenance.report, provenance.verdict
    queries = provenance.queries()
    reload = "embeds all documents again" if provenance.reembeds else "keeps its documents' vectors"
    reranks = provenance.start.reranks
    checks = "scores" if reranks else "vectors"
    return f"""---
library_name: sentence-transformers
{_RERANKER if reranks else _DENSE}
---

# {name}

{provenance.start.base.id}, tuned on {queries["train"]} queries with {len(dataset.judgements)} judgements over
{len(dataset.corpus)} documents. Loss {loss}, {alpha:.0%} of the tuned weights. Verdict: **{verdict.outcome}**.

{report.table(enough=verdict.outcome != "INSUFFICIENT")}

The figures are of {report.test_queries} test queries that {_tested(report)}, searched over all documents; in brackets
the 95% interval. `{MANIFEST}` has the recipe, the hashes of data and files, and {checks} by which a load can be
checked. {_behind(provenance) if reranks else f"A service that reloads this in the place of its base {reload}."}
"""


def _tested(report: Report) -> str:
    """How the test queries relate to what was trained, as the end of a clause."""
    made = report.made
    if made is None or not made.base_taught:
        return "were not trained on"
    before = "but a model that it began with"
    if made.base_learned:
        return f"this run did not train on, {before} has learned from {made.base_learned} of them"
    return f"this run did not train on, {before} had learned before, perhaps from some of them"


def _behind(provenance: Provenance) -> str:
    """How the figures of a reranker came about, as a sentence."""
    start = provenance.start
    return f"It put the first {start.recipe.candidates} documents of {start.retriever.id} in order."
