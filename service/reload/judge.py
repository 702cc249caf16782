"""The judge: it compares two generations on the judged queries, over the same documents at one moment.

It searches as `dense` mode does. Documents that nobody has judged count as not good, as in trec_eval. So judgements of
one model's results favour that model (Buckley and Voorhees 2004).
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from service import ranking
from service.corpus.base import Documents, Judgement, Judgements, Seqs
from service.errors import CheckpointRefused
from service.generations.generation import Generation
from service.index.base import View
from service.machine.arrays import Vectors
from service.machine.priority import at_lowest_priority
from service.machine.threads import run_to_completion
from service.models.encoding import Encoding
from service.reload.errors import TRAIN_FURTHER, is_worse

_K = 10
# Queries that are encoded and searched at a time.
_PORTION = 64
# The most queries that got worse in a job, the most in a reason, and the most characters of each query in a reason.
_WORST, _NAMED, _SHOWN = 10, 3, 80

UNJUDGED = (
    "it was not judged, because there are no judgements: PUT /admin/judgements says which documents answer which"
    " queries, and the next reload is judged by them"
)


class Scores(BaseModel):
    """The figures of one generation, as means over the judged queries, each from 0 to 1."""

    model_config = ConfigDict(frozen=True)

    ndcg: float = Field(description="nDCG@10")
    recall: float = Field(description="share of the good documents that are among the first 10")
    good_above_bad: float | None = Field(
        description="share of the pairs of a good and a bad document of a query in which the good one has the higher"
        " cosine; null: no query has both"
    )


class Difference(BaseModel):
    """The figures of one judged query in two generations."""

    model_config = ConfigDict(frozen=True)

    query: str = Field(description="the question")
    collection: str = Field(description="collection that it is asked of")
    active: float = Field(description="nDCG@10 of the generation that answers")
    building: float = Field(description="nDCG@10 of the generation that is being built")

    def __str__(self) -> str:
        shown = " ".join(self.query.split())
        cut = f"{shown[:_SHOWN]}…" if len(shown) > _SHOWN else shown
        return f"{cut!r} ({self.building:.3f} after {self.active:.3f})"


class Judged(BaseModel):
    """The comparison of two generations on the judged queries."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)

    queries: int = Field(description="judged queries with a good document that is in the corpus")
    active: Scores = Field(description="figures of the generation that answers")
    building: Scores = Field(description="figures of the generation that is being built")
    better: int = Field(0, description="queries whose nDCG@10 has risen")
    worse: int = Field(0, description="queries whose nDCG@10 has fallen")
    worst: list[Difference] = Field([], description=f"the queries that fell most, {_WORST} at most, the worst first")
    unresolved: int = Field(0, description="judgements that did not count: their document is not in the corpus")

    @property
    def loss(self) -> float:
        """The loss of nDCG@10; below 0 if it has risen."""
        return self.active.ndcg - self.building.ndcg


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a comparison: `objection` says why the new generation should not answer, `remedy` what to do.

    `warning` says which judgements did not count. None of the three quotes a query.
    """

    judged: Judged | None
    objection: str | None = None
    remedy: str = ""
    warning: str | None = None

    def refusal(self) -> CheckpointRefused:
        """The objection as an error, which names the queries that got worst on a line of their own."""
        message = f"{self.objection}; {self.remedy}"
        if self.judged is not None and self.judged.worst:
            worst = ", ".join(map(str, self.judged.worst[:_NAMED]))
            message += f"\n{self.judged.worse} of {self.judged.queries} queries got worse, most of all {worst}"
        return CheckpointRefused(message)


@dataclass(frozen=True, slots=True)
class _Query:
    """A judged query, the sequence numbers of its good and bad documents, and the two views that hold them all."""

    text: str
    collection: str
    good: Seqs
    bad: Seqs
    views: tuple[View, View]


class Judge:
    """Compares generations, at the lowest priority. nDCG@10 may fall by `max_loss`."""

    def __init__(self, judgements: Judgements, documents: Documents, encoding: Encoding, max_loss: float) -> None:
        self._judgements = judgements
        self._documents = documents
        self._encoding = encoding
        self._max_loss = max_loss

    def unusable(self) -> Verdict | None:
        """The verdict on any generation if there are judgements, and all are of missing documents; else None."""
        count, unresolved = self._judgements.counts()
        if not count or unresolved < count:
            return None
        return Verdict(
            None,
            f"it cannot be judged, because none of the judgements ({count}) is of a document in the corpus",
            "send judgements of documents that are there (PUT /admin/judgements), remove these (DELETE"
            " /admin/judgements?unresolved=true), or activate it with force",
        )

    async def judge(self, active: Generation, building: Generation) -> Verdict:
        """Compare both generations on the judged queries that have a good document in both."""
        queries = await asyncio.to_thread(self._queries, active, building)
        count, unresolved = await asyncio.to_thread(self._judgements.counts)
        if not queries and not count:
            return Verdict(None, warning=UNJUDGED)
        if not queries:
            return await asyncio.to_thread(self.unusable) or Verdict(
                None,
                f"it cannot be judged, because none of the judgements ({count}) says of a document in the corpus that"
                " it is good",
                "send some that do (POST /admin/judgements), or activate it with force",
            )
        before = await self._figures(active, queries, [query.views[0] for query in queries])
        after = await self._figures(building, queries, [query.views[1] for query in queries])
        differences = [
            Difference(query=query.text, collection=query.collection, active=former.ndcg, building=new.ndcg)
            for query, former, new in zip(queries, before, after, strict=True)
        ]
        fallen = [difference for difference in differences if difference.building < difference.active]
        judged = Judged(
            queries=len(queries),
            active=_scores(before),
            building=_scores(after),
            better=sum(difference.building > difference.active for difference in differences),
            worse=len(fallen),
            worst=sorted(fallen, key=lambda difference: difference.building - difference.active)[:_WORST],
            unresolved=unresolved,
        )
        warning = (
            f"{unresolved} of {count} judgements did not count, because their documents are not in the corpus: GET"
            " /admin/judgements?unresolved=true lists them"
            if unresolved
            else None
        )
        if judged.loss <= self._max_loss:
            return Verdict(judged, warning=warning)
        return Verdict(
            judged,
            is_worse(
                building.model,
                active.model,
                judged.queries,
                (judged.building.ndcg, judged.active.ndcg),
                self._max_loss,
            ),
            TRAIN_FURTHER,
            warning,
        )

    def _queries(self, active: Generation, building: Generation) -> list[_Query]:
        by_query: dict[tuple[str, str], list[Judgement]] = {}
        for judgement in self._judgements.all():
            by_query.setdefault((judgement.collection, judgement.query), []).append(judgement)
        queries = []
        for collection in dict.fromkeys(collection for collection, _ in by_query):
            by_text = {text: judgements for (name, text), judgements in by_query.items() if name == collection}
            ids = list({judgement.document for judgements in by_text.values() for judgement in judgements})
            seq_of = self._documents.seqs_of(collection, ids)
            seqs = np.fromiter(seq_of.values(), dtype=np.int64, count=len(seq_of))
            views = (active.index.view(collection), building.index.view(collection))
            in_both = set(seqs[views[0].holds(seqs, None) & views[1].holds(seqs, None)].tolist())
            for text, judgements in by_text.items():
                good, bad = (
                    np.array([seq for seq in _seqs(judgements, seq_of, good=is_good) if seq in in_both])
                    for is_good in (True, False)
                )
                if len(good):
                    queries.append(_Query(text, collection, good, bad, views))
        return queries

    async def _figures(
        self, generation: Generation, queries: Sequence[_Query], views: Sequence[View]
    ) -> list["_Figures"]:
        figures: list[_Figures] = []
        for start in range(0, len(queries), _PORTION):
            part = slice(start, start + _PORTION)
            texts = [query.text for query in queries[part]]
            vectors = await self._encoding.embed(generation.encoder, texts, "query", "bulk", patient=True)
            figures += await run_to_completion(
                partial(at_lowest_priority, partial(_figures, queries[part], views[part], vectors))
            )
        return figures


@dataclass(frozen=True, slots=True)
class _Figures:
    """The figures of one query.

    `in_order` says, for each pair of a good and a bad document, whether the good one has the higher score.
    """

    ndcg: float
    recall: float
    in_order: NDArray[np.bool_] | None


def _seqs(judgements: Sequence[Judgement], seq_of: Mapping[str, int], *, good: bool) -> list[int]:
    """The sequence numbers of the documents that are judged good, or bad, and are in the corpus."""
    documents = [judgement.document for judgement in judgements if judgement.good is good]
    return [seq_of[document] for document in documents if document in seq_of]


def _scores(figures: Sequence[_Figures]) -> Scores:
    pairs = [query.in_order for query in figures if query.in_order is not None]
    return Scores(
        ndcg=float(np.mean([query.ndcg for query in figures])),
        recall=float(np.mean([query.recall for query in figures])),
        good_above_bad=float(np.concatenate(pairs).mean()) if pairs else None,
    )


def _figures(queries: Sequence[_Query], views: Sequence[View], vectors: Vectors) -> list[_Figures]:
    figures = []
    for query, view, vector in zip(queries, views, vectors, strict=True):
        ((first, _),) = view.search(vector[None], _K, None)
        ranked, good = first.tolist(), set(query.good.tolist())
        in_order = None
        if len(query.bad):
            good_scores, bad_scores = (_cosines(view, seqs, vector) for seqs in (query.good, query.bad))
            in_order = (good_scores[:, None] > bad_scores).ravel()
        figures.append(_Figures(ranking.ndcg(ranked, good, _K), ranking.recall(ranked, good, _K), in_order))
    return figures


def _cosines(view: View, seqs: Seqs, vector: Vectors) -> Vectors:
    """Return the cosines (n,) of documents with the unit vector of a query, each by its nearest window."""
    return np.array([(windows.vectors @ vector).max() for windows in view.windows(seqs)], dtype=np.float32)
