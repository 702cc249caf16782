"""Two models on the same queries over the whole corpus: the figures, how sure they are, what became of each query."""

from collections.abc import Callable, Mapping, Sequence
from textwrap import shorten
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, JsonValue
from sentence_transformers import SentenceTransformer

from service import ranking
from trainer.data.dataset import Dataset, Split
from trainer.errors import BadData
from trainer.prove import bm25, reduction, significance
from trainer.prove import rankings as ranked
from trainer.prove.rankings import Embedded, Ranked
from trainer.prove.reduction import Reduction
from trainer.prove.significance import Clusters, Floats

WORDS_DO_AS_WELL = {
    "bm25": "Words alone (BM25) rank as well as the tuned model here: try the mode hybrid, which takes both, before you"
    " tune further.",
    "hybrid": "The base in mode hybrid, by vectors and words, ranks as well as the tuned model here, and needs no"
    " training: try that first.",
}
# Names of the scores that need no tuned model. Reports written before they were taken have no hybrid.
_WITHOUT_TRAINING = {"bm25": "BM25", "hybrid": "base, hybrid"}
NDCG, MRR, PAIRS = "nDCG@10", "MRR@10", "good above bad"
RECALLS = (1, 3, 5, 10, 20)
_BASE_KS = (5, 10)
# Queries whose rankings are shown, of the largest wins and of the largest losses.
_SHOWN = 5
_SHOWN_DEPTH = 10
_SHOWN_CHARACTERS = 240
# Pairs of documents whose cosines tell a collapsed model from a sound one.
_RANDOM_PAIRS = 10_000


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Estimate(_Frozen):
    """A mean over queries with its 95% interval."""

    value: float
    low: float
    high: float


class Difference(Estimate):
    """Tuned less base. `detectable` is the smallest difference that this many queries could show."""

    p: float
    detectable: float | None


class Drift(_Frozen):
    """How far documents moved: cosines of old to new vectors (None where the dimensions differ), and how much of the
    base's first ten documents is among the tuned model's."""

    cosine_mean: float | None
    cosine_5th: float | None
    overlap_at_10: float


class General(_Frozen):
    """nDCG@10 on a set that was not trained on, against forgetting."""

    queries: int
    documents: int
    base: float
    tuned: float


class Query(_Frozen):
    """What became of one query; ranks are those of its first good and its first bad document, from 1."""

    id: str
    text: str
    good_before: int
    good_after: int
    bad_before: int | None
    bad_after: int | None
    ndcg_before: float
    ndcg_after: float


class Line(_Frozen):
    """One place of a ranking."""

    document: str
    text: str
    judged: Literal["good", "bad", ""]


class Example(_Frozen):
    """The first documents of a query before and after."""

    query: str
    text: str
    before: list[Line]
    after: list[Line]


class Report(_Frozen):
    """Everything that `report.json` holds. `scores` is by model (base, tuned, bm25, and hybrid: the base and BM25
    together) and metric; `gains_over_words` the tuned model less bm25 and less hybrid, in nDCG@10.

    `queries` is worst losses first; `recall_by_k` has K from 1 to 20; `collapse` the mean cosine of random pairs of
    documents.
    """

    format: Literal[1] = 1
    base: str
    tuned: str
    split: str
    seed: int
    test_queries: int
    clusters: int
    documents: int
    scores: dict[str, dict[str, Estimate]]
    differences: dict[str, Difference]
    gains_over_words: dict[str, Difference] = {}
    wins: int
    losses: int
    ties: int
    reductions: list[Reduction]
    recall_by_k: dict[str, list[float]]
    drift: Drift
    collapse: dict[str, float]
    general: General | None
    package_faithful: bool | None
    queries: list[Query]
    examples: list[Example]

    def table(self, *, enough: bool = True) -> str:
        """Before and after as Markdown, intervals in brackets; `enough` queries let it say what the gain saves."""
        words = [name for name in _WITHOUT_TRAINING if name in self.scores]
        lines = [
            "| | base | tuned | difference | p |" + "".join(f" {_WITHOUT_TRAINING[name]} |" for name in words),
            "|---|---|---|---|---|" + "---|" * len(words),
        ]
        for metric, difference in self.differences.items():
            base, tuned = (self.scores[model][metric] for model in ("base", "tuned"))
            lines.append(
                f"| {metric} | {base.value:.3f} [{base.low:.3f}, {base.high:.3f}] | {tuned.value:.3f}"
                f" [{tuned.low:.3f}, {tuned.high:.3f}] | {difference.value:+.3f} [{difference.low:+.3f},"
                f" {difference.high:+.3f}] | {difference.p:.4f} |"
                + "".join(f" {self.scores[name][metric].value:.3f} |" for name in words)
            )
        detectable = self.differences[NDCG].detectable
        least = "" if detectable is None else f" They could show a difference in {NDCG} of {detectable:.3f}."
        lines += [
            "",
            f"{self.test_queries} test queries in {self.clusters} clusters, {self.documents} documents.{least}",
        ]
        lines.append(f"{self.wins} queries are better, {self.losses} worse, {self.ties} equal.")
        lines += self.savings(enough=enough)
        lines += self.without_training
        if self.general:
            lines.append(
                f"General set ({self.general.queries} queries): {NDCG} {self.general.base:.3f} to"
                f" {self.general.tuned:.3f}."
            )
        return "\n".join(lines)

    @property
    def without_training(self) -> list[str]:
        """The ways that rank as well as the tuned model, as far as the test can tell, in words."""
        return [WORDS_DO_AS_WELL[name] for name, gain in self.gains_over_words.items() if gain.low <= 0]

    def savings(self, *, enough: bool) -> list[str]:
        """What fewer passages save, in words; nothing is claimed of a gain that the test cannot show."""
        if not enough or self.differences[NDCG].low <= 0:
            return ["Whether fewer passages would do cannot be said: the test does not show a gain."]
        return [said(one) for one in self.reductions]

    def summary(self) -> dict[str, JsonValue]:
        """What a manifest keeps: figures and intervals, no text of anybody's."""
        return self.model_dump(
            mode="json",
            include={
                "scores", "differences", "wins", "losses", "ties", "reductions", "drift", "collapse", "general",
                "test_queries", "clusters", "documents",
            },
        )  # fmt: skip


def said(one: Reduction) -> str:
    """A K-reduction in plain words."""
    has = f"The base has a recall of {one.recall:.3f} with {one.base_k} passages"
    if one.tuned_k is None or one.tokens_saved is None:
        return f"{has}; the tuned model does not reach that with {reduction.MOST}."
    if one.tokens_saved >= 0:
        change = f"{one.tokens_saved:.0f} tokens less for each question"
    else:
        change = f"{-one.tokens_saved:.0f} tokens more for each question"
    return f"{has}; the tuned model needs {one.tuned_k}: {change}."


def compare(
    base: SentenceTransformer,
    tuned: SentenceTransformer,
    dataset: Dataset,
    split: Split,
    *,
    components: Mapping[str, int],
    general: Dataset | None,
    seed: int,
    base_name: str,
    tuned_name: str,
    split_note: str,
    package_faithful: bool | None,
    quiet: bool,
) -> Report:
    """Rank the whole corpus for the split's queries with both models and with BM25, and compare.

    `components` numbers the queries that are not independent of each other. Equal arguments give an equal report.
    Raises BadData if the split has no query with a good document.
    """
    good, bad = dataset.good(split), dataset.bad(split)
    queries = sorted(good)
    if not queries:
        raise BadData(f"no query with a good document is in {split}: judge more queries, or split otherwise")
    embedded = {
        name: ranked.embed(model, dataset, queries, quiet=quiet) for name, model in (("base", base), ("tuned", tuned))
    }
    found = {name: ranked.by_cosine(vectors, dataset, queries) for name, vectors in embedded.items()}
    words = bm25.score(dataset, queries)
    found["bm25"] = ranked.by_scores(words.scores, dataset, queries)
    found["hybrid"] = ranked.by_cosine(embedded["base"], dataset, queries, coverages=words.coverages())
    clusters = np.array([components[query] for query in queries])
    values = {name: _values(one, queries, good, bad) for name, one in found.items()}
    judged = np.array([bool(bad.get(query)) for query in queries])
    before, after = values["base"][NDCG], values["tuned"][NDCG]
    return Report(
        base=base_name,
        tuned=tuned_name,
        split=split_note,
        seed=seed,
        test_queries=len(queries),
        clusters=len(set(clusters.tolist())),
        documents=len(dataset.corpus),
        scores={
            name: {metric: _estimate(row, clusters, judged, metric, seed) for metric, row in own.items()}
            for name, own in values.items()
        },
        differences={
            metric: _difference(row - values["base"][metric], clusters, judged, metric, seed)
            for metric, row in values["tuned"].items()
        },
        gains_over_words={
            name: _difference(after - values[name][NDCG], clusters, judged, NDCG, seed) for name in WORDS_DO_AS_WELL
        },
        wins=int(np.sum(after > before)),
        losses=int(np.sum(after < before)),
        ties=int(np.sum(after == before)),
        reductions=_reductions(found, good, base, dataset),
        recall_by_k={name: reduction.recall_by_k(one.found, good) for name, one in found.items()},
        drift=_drift(embedded, found),
        collapse={name: _collapse(vectors, seed) for name, vectors in embedded.items()},
        general=_general(base, tuned, general, quiet=quiet) if general else None,
        package_faithful=package_faithful,
        queries=_outcomes(found, queries, good, bad, dataset, before, after),
        examples=_examples(found, queries, good, bad, dataset, after - before),
    )


def _values(
    one: Ranked, queries: Sequence[str], good: Mapping[str, set[str]], bad: Mapping[str, set[str]]
) -> dict[str, Floats]:
    """Each metric of each query. A query without bad documents has 0 pairs, and is left out of their mean."""

    def of(metric: Callable[[str], float]) -> Floats:
        return np.array([metric(query) for query in queries])

    def pairs(query: str) -> float:
        ranks = one.ranks[query]
        ahead = [ranks[better] < ranks[worse] for better in good[query] for worse in bad.get(query, ())]
        return sum(ahead) / len(ahead) if ahead else 0.0

    values = {
        NDCG: of(lambda query: ranking.ndcg(one.found[query], good[query])),
        MRR: of(lambda query: ranking.reciprocal_rank(one.found[query], good[query])),
    }
    for k in RECALLS:
        values[f"recall@{k}"] = of(lambda query, k=k: ranking.recall(one.found[query], good[query], k))  # type: ignore[misc]
    if any(bad.get(query) for query in queries):
        values[PAIRS] = of(pairs)
    return values


def _estimate(row: Floats, clusters: Clusters, judged: Clusters, metric: str, seed: int) -> Estimate:
    row, clusters = _counted(row, clusters, judged, metric)
    low, high = significance.interval(row, clusters, seed)
    return Estimate(value=float(row.mean()), low=low, high=high)


def _difference(row: Floats, clusters: Clusters, judged: Clusters, metric: str, seed: int) -> Difference:
    row, clusters = _counted(row, clusters, judged, metric)
    low, high = significance.interval(row, clusters, seed)
    return Difference(
        value=float(row.mean()),
        low=low,
        high=high,
        p=significance.p_value(row, clusters, seed),
        detectable=significance.detectable(row, clusters),
    )


def _counted(row: Floats, clusters: Clusters, judged: Clusters, metric: str) -> tuple[Floats, Clusters]:
    return (row[judged], clusters[judged]) if metric == PAIRS else (row, clusters)


def _reductions(
    found: Mapping[str, Ranked], good: Mapping[str, set[str]], base: SentenceTransformer, dataset: Dataset
) -> list[Reduction]:
    first = {
        document
        for name in ("base", "tuned")
        for documents in found[name].found.values()
        for document in documents[: reduction.MOST]
    }
    ids = sorted(first)
    lengths = base.tokenizer(dataset.passages(ids), add_special_tokens=False, truncation=False, verbose=False)
    tokens = {document: len(one) for document, one in zip(ids, lengths["input_ids"], strict=True)}
    return [reduction.reduce(found["base"].found, found["tuned"].found, good, tokens, k) for k in _BASE_KS]


def _drift(embedded: Mapping[str, Embedded], found: Mapping[str, Ranked]) -> Drift:
    old, new = embedded["base"].documents, embedded["tuned"].documents
    cosines = np.sum(old * new, axis=1) if old.shape == new.shape else None
    shared = [
        len(set(documents[:10]) & set(found["tuned"].found[query][:10])) / len(documents[:10])
        for query, documents in found["base"].found.items()
    ]
    return Drift(
        cosine_mean=None if cosines is None else float(cosines.mean()),
        cosine_5th=None if cosines is None else float(np.percentile(cosines, 5)),
        overlap_at_10=float(np.mean(shared)),
    )


def _collapse(embedded: Embedded, seed: int) -> float:
    draw = np.random.default_rng(seed)
    documents = embedded.documents
    left = draw.integers(len(documents), size=_RANDOM_PAIRS)
    # Never a document and itself.
    right = (left + draw.integers(1, max(2, len(documents)), size=_RANDOM_PAIRS)) % len(documents)
    return float(np.mean(np.sum(documents[left] * documents[right], axis=1)))


def _general(base: SentenceTransformer, tuned: SentenceTransformer, general: Dataset, *, quiet: bool) -> General:
    good = general.held_out
    queries = sorted(good)
    means = [
        float(np.mean([ranking.ndcg(one.found[query], good[query]) for query in queries]))
        for one in (
            ranked.by_cosine(ranked.embed(model, general, queries, quiet=quiet), general, queries)
            for model in (base, tuned)
        )
    ]
    return General(queries=len(queries), documents=len(general.corpus), base=means[0], tuned=means[1])


def _outcomes(
    found: Mapping[str, Ranked],
    queries: Sequence[str],
    good: Mapping[str, set[str]],
    bad: Mapping[str, set[str]],
    dataset: Dataset,
    before: Floats,
    after: Floats,
) -> list[Query]:
    outcomes = [
        Query(
            id=query,
            text=dataset.queries[query],
            good_before=found["base"].best(query, good[query]),
            good_after=found["tuned"].best(query, good[query]),
            bad_before=found["base"].best(query, bad[query]) if bad.get(query) else None,
            bad_after=found["tuned"].best(query, bad[query]) if bad.get(query) else None,
            ndcg_before=float(old),
            ndcg_after=float(new),
        )
        for query, old, new in zip(queries, before, after, strict=True)
    ]
    return sorted(outcomes, key=lambda one: (one.ndcg_after - one.ndcg_before, one.id))


def _examples(
    found: Mapping[str, Ranked],
    queries: Sequence[str],
    good: Mapping[str, set[str]],
    bad: Mapping[str, set[str]],
    dataset: Dataset,
    change: Floats,
) -> list[Example]:
    """The largest losses first, then the largest wins."""

    def lines(name: str, query: str) -> list[Line]:
        return [
            Line(
                document=document,
                text=shorten(dataset.corpus[document].passage, _SHOWN_CHARACTERS, placeholder=" …"),
                judged="good" if document in good[query] else "bad" if document in bad.get(query, ()) else "",
            )
            for document in found[name].found[query][:_SHOWN_DEPTH]
        ]

    order = sorted(range(len(queries)), key=lambda place: (change[place], queries[place]))
    worst = [place for place in order if change[place] < 0][:_SHOWN]
    best = [place for place in reversed(order) if change[place] > 0][:_SHOWN]
    return [
        Example(
            query=queries[place],
            text=dataset.queries[queries[place]],
            before=lines("base", queries[place]),
            after=lines("tuned", queries[place]),
        )
        for place in worst + best
    ]
