"""Compares two models, and plain words beside them, on the test queries over the whole corpus."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sentence_transformers import SentenceTransformer

from service import ranking
from trainer.data.dataset import Dataset
from trainer.prepare import splits
from trainer.prove import bm25, metrics, outcomes, rankings, reduction
from trainer.prove.drift import collapse, drift
from trainer.prove.estimates import Difference, Estimate, Estimator
from trainer.prove.judged_queries import JudgedQueries, judged_queries
from trainer.prove.metrics import NDCG
from trainer.prove.rankings import Embedded, Rankings
from trainer.prove.reduction import Reduction
from trainer.prove.report.model import WORDS_DO_AS_WELL, General, Report
from trainer.prove.significance import Floats

# Values of K of the base, for which the K of the tuned model with equal recall is sought.
_BASE_KS = (5, 10)


@dataclass(frozen=True)
class Contender:
    """A model, and the name that the report calls it by."""

    name: str
    model: SentenceTransformer


@dataclass(frozen=True)
class Exam:
    """The test queries of `dataset`, and the general set, which shows what was forgotten (None: nobody looks).

    `split_note` says how the queries were split.
    """

    dataset: Dataset
    split_note: str
    general: Dataset | None


def compare(
    base: Contender, tuned: Contender, exam: Exam, *, seed: int, package_faithful: bool | None, quiet: bool
) -> Report:
    """Rank the whole corpus for the test queries: with both models, with BM25, and with the base and BM25 together.

    `package_faithful` says whether the tuned model's package gives its vectors (None: nobody looked). Equal arguments
    give an equal report. Raises BadData if no test query has a good document.
    """
    dataset = exam.dataset
    queries = judged_queries(dataset, "test")
    embedded = {
        name: rankings.embed(contender.model, dataset, queries.ids, quiet=quiet)
        for name, contender in (("base", base), ("tuned", tuned))
    }
    ranked = _rankings(embedded, queries)
    values = {name: metrics.by_query(ranked[name], queries) for name in ranked}
    components = splits.components(dataset)
    estimator = Estimator(
        clusters=np.array([components[query] for query in queries.ids]),
        has_bad=np.array([bool(queries.bad.get(query)) for query in queries.ids]),
        seed=seed,
    )
    before, after = values["base"][NDCG], values["tuned"][NDCG]
    return Report(
        base=base.name,
        tuned=tuned.name,
        split=exam.split_note,
        seed=seed,
        test_queries=len(queries.ids),
        clusters=len(set(estimator.clusters.tolist())),
        documents=len(dataset.corpus),
        scores=_scores(values, estimator),
        differences=_differences(values, estimator),
        gains_over_words={name: estimator.difference(NDCG, after - values[name][NDCG]) for name in WORDS_DO_AS_WELL},
        wins=int(np.sum(after > before)),
        losses=int(np.sum(after < before)),
        ties=int(np.sum(after == before)),
        reductions=_reductions(ranked, queries, base.model),
        recall_by_k={name: reduction.recall_by_k(ranked[name].top, queries.good) for name in ranked},
        drift=drift(embedded, ranked),
        collapse={name: collapse(vectors, seed) for name, vectors in embedded.items()},
        general=_general(base.model, tuned.model, exam.general, quiet=quiet) if exam.general else None,
        package_faithful=package_faithful,
        queries=outcomes.outcomes(ranked, queries, before, after),
        examples=outcomes.examples(ranked, queries, after - before),
    )


def _rankings(embedded: Mapping[str, Embedded], queries: JudgedQueries) -> dict[str, Rankings]:
    """The rankings of base, tuned, bm25 and hybrid."""
    dataset, ids = queries.dataset, queries.ids
    by_name = {name: rankings.by_cosine(vectors, dataset, ids) for name, vectors in embedded.items()}
    words = bm25.score(dataset, ids)
    by_name["bm25"] = rankings.by_scores(words.scores, dataset, ids)
    by_name["hybrid"] = rankings.by_cosine(embedded["base"], dataset, ids, coverages=words.coverages())
    return by_name


def _scores(values: Mapping[str, Mapping[str, Floats]], estimator: Estimator) -> dict[str, dict[str, Estimate]]:
    return {
        name: {metric: estimator.estimate(metric, row) for metric, row in by_metric.items()}
        for name, by_metric in values.items()
    }


def _differences(values: Mapping[str, Mapping[str, Floats]], estimator: Estimator) -> dict[str, Difference]:
    base, tuned = values["base"], values["tuned"]
    return {metric: estimator.difference(metric, row - base[metric]) for metric, row in tuned.items()}


def _reductions(
    ranked: Mapping[str, Rankings], queries: JudgedQueries, tokenizing: SentenceTransformer
) -> list[Reduction]:
    """The K-reductions. Documents are measured in tokens of the model `tokenizing`."""
    base, tuned = ranked["base"].top, ranked["tuned"].top
    ids = sorted(
        {document for top in (base, tuned) for documents in top.values() for document in documents[: reduction.MOST]}
    )
    passages = queries.dataset.passages(ids)
    tokenized = tokenizing.tokenizer(passages, add_special_tokens=False, truncation=False, verbose=False)
    lengths = {document: len(tokens) for document, tokens in zip(ids, tokenized["input_ids"], strict=True)}
    return [reduction.reduce(base, tuned, queries.good, lengths, k) for k in _BASE_KS]


def _general(base: SentenceTransformer, tuned: SentenceTransformer, general: Dataset, *, quiet: bool) -> General:
    good = general.held_out
    queries = sorted(good)

    def mean(model: SentenceTransformer) -> float:
        vectors = rankings.embed(model, general, queries, quiet=quiet)
        top = rankings.by_cosine(vectors, general, queries).top
        return float(np.mean([ranking.ndcg(top[query], good[query]) for query in queries]))

    return General(queries=len(queries), documents=len(general.corpus), base=mean(base), tuned=mean(tuned))
