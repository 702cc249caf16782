"""The ranking of the whole corpus for each query.

Every model looks good among the documents of one split, so nothing here ranks less than the corpus.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from service.search.fusion import WEIGHTS
from trainer import reading
from trainer.data.dataset import Dataset
from trainer.prepare import reranking
from trainer.prepare.reranking import Scores
from trainer.recipe import MOST_CANDIDATES

Vectors = NDArray[np.float32]

# Documents of a ranking that are kept.
DEPTH = MOST_CANDIDATES
# Queries whose scores are in memory at a time.
_CHUNK = 64


@dataclass(frozen=True)
class Rankings:
    """`top` has the first `DEPTH` documents of every query, best first. `ranks` has the ranks, from 1, of its judged
    documents."""

    top: Mapping[str, Sequence[str]]
    ranks: Mapping[str, Mapping[str, int]]

    def reranked(self, scores: Scores, candidates: int) -> "Rankings":
        """The rankings with the first `candidates` of each, all of which have a score, in the order of `scores`."""
        top = {query: reranking.order(ranking, scores[query], candidates) for query, ranking in self.top.items()}
        ranks = {
            query: {
                document: rank if rank > candidates else top[query].index(document) + 1
                for document, rank in judged.items()
            }
            for query, judged in self.ranks.items()
        }
        return Rankings(top, ranks)

    def best(self, query: str, documents: set[str]) -> int:
        """The best rank among `documents`, which were judged for the query."""
        return min(self.ranks[query][document] for document in documents)


@dataclass(frozen=True)
class Embedded:
    """Unit vectors (n, dimensions) of queries, in their order, and of all documents, in the order of their ids."""

    queries: Vectors
    documents: Vectors


def embed(model: SentenceTransformer, dataset: Dataset, queries: Sequence[str], *, quiet: bool) -> Embedded:
    """Embed `queries` and the corpus as the service does: with the model's prompts, routes and length."""
    bar = not quiet
    texts = [dataset.queries[query] for query in queries]
    corpus = dataset.passages(sorted(dataset.corpus))
    documents = model.encode_document(
        corpus, batch_size=reading.batch_size(model, corpus), normalize_embeddings=True, show_progress_bar=bar
    )
    return Embedded(
        np.asarray(model.encode_query(texts, normalize_embeddings=True, show_progress_bar=bar), np.float32),
        np.asarray(documents, np.float32),
    )


def by_cosine(
    embedded: Embedded, dataset: Dataset, queries: Sequence[str], *, coverages: Vectors | None = None
) -> Rankings:
    """Rank the corpus by cosine for each of `queries`, in whose order their vectors are.

    `coverages` (queries, documents) are added to the cosines, with the default weights of the service's mode `hybrid`.
    """
    weights = WEIGHTS["score"]
    top: dict[str, Sequence[str]] = {}
    ranks: dict[str, Mapping[str, int]] = {}
    for start in range(0, len(queries), _CHUNK):
        scores = embedded.queries[start : start + _CHUNK] @ embedded.documents.T
        if coverages is not None:
            scores = weights.dense * scores + weights.keyword * coverages[start : start + _CHUNK]
        part = by_scores(scores, dataset, queries[start : start + _CHUNK])
        top |= part.top
        ranks |= part.ranks
    return Rankings(top, ranks)


def by_scores(scores: NDArray[np.floating], dataset: Dataset, queries: Sequence[str]) -> Rankings:
    """Rank by `scores` (queries, all documents by id), the highest first. Equal scores are in the order of ids."""
    ids = sorted(dataset.corpus)
    column_of = {document: column for column, document in enumerate(ids)}
    good, bad = dataset.good(), dataset.bad()
    top: dict[str, list[str]] = {}
    ranks: dict[str, dict[str, int]] = {}
    for query, row in zip(queries, scores, strict=True):
        order = np.argsort(-row, kind="stable")
        rank = np.empty(len(ids), np.int64)
        rank[order] = np.arange(1, len(ids) + 1)
        top[query] = [ids[column] for column in order[:DEPTH]]
        judged = good.get(query, set()) | bad.get(query, set())
        ranks[query] = {document: int(rank[column_of[document]]) for document in sorted(judged)}
    return Rankings(top, ranks)
