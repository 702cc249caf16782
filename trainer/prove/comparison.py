"""Compares two models, and plain words beside them, on the test queries over the whole corpus."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sentence_transformers import SentenceTransformer

from service import ranking
from service.significance import Floats
from trainer.data.dataset import Dataset
from trainer.prepare import reranking, splits
from trainer.prepare.reranking import Reranker
from trainer.prove import bm25, metric_values, outcomes, rankings, reduction
from trainer.prove.drift import collapse, drift
from trainer.prove.estimates import Difference, Estimate
from trainer.prove.estimator import Estimator
from trainer.prove.judged_queries import JudgedQueries, judged_queries
from trainer.prove.metrics import NDCG
from trainer.prove.rankings import Embedded, Rankings
from trainer.prove.reduction import Reduction
from trainer.prove.report.model import DO_AS_WELL, General, Made, Report

# Values of K of the base, for which the K of the tuned model with equal recall is sought.
_BASE_KS = (5, 10)


@dataclass(frozen=True)
class Contender:
    """An embedding model, the reranker behind it, if any, and the name that the report calls them by.

    `crossed` has the rankings of the test queries by other models, which were trained as this one, each without the
    queries that it ranks. Without it, this model was trained without any of them.
    """

    name: str
    model: SentenceTransformer
    reranker: Reranker | None = None
    crossed: Rankings | None = None

    def rank(self, dataset: Dataset, queries: Sequence[str], *, quiet: bool) -> Rankings:
        """Rank the corpus for each of `queries`."""
        vectors = rankings.embed(self.model, dataset, queries, quiet=quiet)
        ranked = rankings.by_cosine(vectors, dataset, queries)
        if self.reranker is None:
            return ranked
        return ranked.reranked(self.reranker.score(dataset, ranked.top, quiet=quiet), self.reranker.candidates)


@dataclass(frozen=True)
class Exam:
    """The test queries of `dataset`, and the general set, which shows what was forgotten (None: nobody looks).

    `split_note` says how the queries were split. `folds` above 1: each query is tested in one of so many folds. `made`
    goes into the report.
    """

    dataset: Dataset
    split_note: str
    general: Dataset | None
    folds: int = 1
    made: Made | None = None


def compare(
    base: Contender, tuned: Contender, exam: Exam, *, seed: int, package_faithful: bool | None, quiet: bool
) -> Report:
    """Rank the whole corpus for the test queries: with both models, with BM25, and with the base and BM25 together.

    A tuned reranker puts the last of these in order, too.

    `package_faithful` says whether the tuned model's package gives its vectors (None: nobody looked). Equal arguments
    give an equal report. Raises BadData if no test query has a good document.
    """
    dataset = exam.dataset
    queries = judged_queries(dataset, "test")
    embedded = _embedded(base, tuned, queries, quiet=quiet)
    ranked = _reranked(_rankings(embedded, queries), base, tuned, queries, quiet=quiet)
    if tuned.crossed is not None:
        ranked["tuned"] = tuned.crossed
    values = {name: metric_values.by_query(ranked[name], queries) for name in ranked}
    components = splits.components_of_people(dataset)
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
        folds=exam.folds,
        made=exam.made,
        seed=seed,
        test_queries=len(queries.ids),
        clusters=len(set(estimator.clusters.tolist())),
        documents=len(dataset.corpus),
        scores=_scores(values, estimator),
        differences=_differences(values, estimator),
        gains_over_words={
            name: estimator.difference(NDCG, after - values[name][NDCG]) for name in DO_AS_WELL if name in values
        },
        hybrid_reranked=_hybrid_reranked(values, estimator),
        wins=int(np.sum(after > before)),
        losses=int(np.sum(after < before)),
        ties=int(np.sum(after == before)),
        reductions=_reductions(ranked, queries, base.model),
        recall_by_k={name: reduction.recall_by_k(ranked[name].top, queries.good) for name in ranked},
        drift=drift(embedded, ranked),
        collapse={name: collapse(vectors, seed) for name, vectors in embedded.items()},
        general=_general(base, tuned, exam.general, quiet=quiet) if exam.general else None,
        package_faithful=package_faithful,
        queries=outcomes.outcomes(ranked, queries, before, after),
        examples=outcomes.examples(ranked, queries, after - before),
    )


def _embedded(base: Contender, tuned: Contender, queries: JudgedQueries, *, quiet: bool) -> dict[str, Embedded]:
    """The vectors of base and tuned, which are computed once if both have one embedding model."""
    before = rankings.embed(base.model, queries.dataset, queries.ids, quiet=quiet)
    if tuned.model is base.model:
        return {"base": before, "tuned": before}
    return {"base": before, "tuned": rankings.embed(tuned.model, queries.dataset, queries.ids, quiet=quiet)}


def _reranked(
    ranked: dict[str, Rankings], base: Contender, tuned: Contender, queries: JudgedQueries, *, quiet: bool
) -> dict[str, Rankings]:
    """`ranked` with the rankings of rerankers in order, and with two more of a tuned reranker.

    `dense` is the embedding model alone, if the base has a reranker, too. `hybrid_reranked` is hybrid in the tuned
    reranker's order.
    """
    result = dict(ranked)
    if base.reranker is not None:
        result["dense"] = ranked["base"]
        scores = base.reranker.score(queries.dataset, ranked["base"].top, quiet=quiet)
        result["base"] = ranked["base"].reranked(scores, base.reranker.candidates)
    if tuned.reranker is not None:
        candidates = tuned.reranker.candidates
        wanted = {
            query: dict.fromkeys([*ranked["tuned"].top[query][:candidates], *ranked["hybrid"].top[query][:candidates]])
            for query in queries.ids
        }
        scores = reranking.score(tuned.reranker.model, queries.dataset, wanted, quiet=quiet)
        result["tuned"] = ranked["tuned"].reranked(scores, candidates)
        result["hybrid_reranked"] = ranked["hybrid"].reranked(scores, candidates)
    return result


def _hybrid_reranked(values: Mapping[str, Mapping[str, Floats]], estimator: Estimator) -> Difference | None:
    if "hybrid_reranked" not in values:
        return None
    return estimator.difference(NDCG, values["hybrid_reranked"][NDCG] - values["hybrid"][NDCG])


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


def _general(base: Contender, tuned: Contender, general: Dataset, *, quiet: bool) -> General:
    good = general.held_out
    queries = sorted(good)

    def mean(contender: Contender) -> float:
        top = contender.rank(general, queries, quiet=quiet).top
        return float(np.mean([ranking.ndcg(top[query], good[query]) for query in queries]))

    return General(queries=len(queries), documents=len(general.corpus), base=mean(base), tuned=mean(tuned))
