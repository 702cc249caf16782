"""The documents among which dev chooses: all of a small corpus, and of a large one those that matter to its queries.

A training is measured on dev several times, and each time every document is embedded again. With a hundred questions
and five thousand documents that takes longer than the training. Documents that the base ranks far behind seldom come to
the front by tuning, so a random few stand for them. The proof at the end is always over the whole corpus.
"""

import random
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from sentence_transformers import SentenceTransformer

from trainer.data.dataset import Dataset
from trainer.train import plan
from trainer.train.plan import ComputedIn

# Up to so many documents, all are taken.
WHOLE = 2_000
# Documents that the base ranks first for all queries together, and of the others.
_NEAR, _OTHERS = 6_000, 500
# A query has so many of the near ones at least, and at most.
_LEAST, _MOST = 20, 100
# Queries whose scores are in memory at a time.
_CHUNK = 64


def reduced(
    base: SentenceTransformer, dataset: Dataset, good: Mapping[str, set[str]], precision: ComputedIn, seed: int
) -> Dataset:
    """The data set with the documents that matter to the queries of `good`, which are all if it has up to `WHOLE`.

    Judged documents are always among them.
    """
    if len(dataset.corpus) <= WHOLE or not good:
        return dataset
    ids = sorted(dataset.corpus)
    with plan.computing(base.device.type, precision):
        texts = [dataset.queries[query] for query in sorted(good)]
        queries = np.asarray(base.encode_query(texts, normalize_embeddings=True), np.float32)
        documents = np.asarray(base.encode_document(dataset.passages(ids), normalize_embeddings=True), np.float32)
    each = min(_MOST, max(_LEAST, _NEAR // len(good)))
    kept = {judgement.document for judgement in dataset.judgements if judgement.query in good}
    for start in range(0, len(queries), _CHUNK):
        scores = queries[start : start + _CHUNK] @ documents.T
        kept |= {ids[column] for column in np.unique(np.argpartition(-scores, each, axis=1)[:, :each]).tolist()}
    others = [key for key in ids if key not in kept]
    kept.update(random.Random(seed).sample(others, min(_OTHERS, len(others))))  # noqa: S311  (it has to repeat)
    judgements = tuple(judgement for judgement in dataset.judgements if judgement.document in kept)
    return replace(dataset, corpus={key: dataset.corpus[key] for key in ids if key in kept}, judgements=judgements)
