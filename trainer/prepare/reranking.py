"""Two stages of a search: an embedding model finds candidates, and a cross-encoder puts them in order."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import CrossEncoder, SentenceTransformer, util

from trainer import reading
from trainer.data.dataset import Dataset

# Scores by query and document.
Scores = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Reranker:
    """A cross-encoder, and how many of a ranking's first documents it puts in order."""

    model: CrossEncoder
    candidates: int

    def score(self, dataset: Dataset, rankings: Mapping[str, Sequence[str]], *, quiet: bool) -> Scores:
        """Score the candidates among the documents in `rankings`, which are by query and best first."""
        return score(
            self.model,
            dataset,
            {query: ranking[: self.candidates] for query, ranking in rankings.items()},
            quiet=quiet,
        )


def retrieve(
    model: SentenceTransformer, dataset: Dataset, queries: Sequence[str], k: int, *, quiet: bool
) -> dict[str, list[str]]:
    """The first `k` documents of each of `queries` by the embedding `model`, best first."""
    ids = sorted(dataset.corpus)
    rankings = util.semantic_search(
        model.encode_query(
            [dataset.queries[query] for query in queries], convert_to_tensor=True, show_progress_bar=not quiet
        ),
        model.encode_document(dataset.passages(ids), convert_to_tensor=True, show_progress_bar=not quiet),
        top_k=k,
    )
    return {query: [ids[int(hit["corpus_id"])] for hit in hits] for query, hits in zip(queries, rankings, strict=True)}


def score(model: CrossEncoder, dataset: Dataset, wanted: Mapping[str, Collection[str]], *, quiet: bool) -> Scores:
    """The logit of each query with each of its documents in `wanted`."""
    pairs = [(query, document) for query, documents in wanted.items() for document in documents]
    logits = iter(
        predict(
            model,
            [(dataset.queries[query], dataset.corpus[document].passage) for query, document in pairs],
            quiet=quiet,
        ).tolist()
    )
    return {query: {document: next(logits) for document in documents} for query, documents in wanted.items()}


def predict(model: CrossEncoder, pairs: Sequence[tuple[str, str]], *, quiet: bool = True) -> NDArray[np.float32]:
    """The logits (n) of pairs of query and text. A sigmoid would make high ones equal."""
    logits = model.predict(
        list(pairs),
        activation_fn=torch.nn.Identity(),
        batch_size=reading.batch_size(model, [query + text for query, text in pairs]),
        show_progress_bar=not quiet,
    )
    return np.asarray(logits, np.float32)


def order(ranking: Sequence[str], scores: Mapping[str, float], candidates: int) -> list[str]:
    """`ranking` with its first `candidates` by their scores, highest first; equal ones stay in their order."""
    return [*sorted(ranking[:candidates], key=lambda document: -scores[document]), *ranking[candidates:]]
