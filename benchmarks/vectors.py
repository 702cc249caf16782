"""Vectors with the structure of real embeddings, in any number, and questions to them.

Some thousand texts are embedded with all-MiniLM-L6-v2. Each further vector is one of those, moved by the difference
between another one and its nearest neighbour: where texts lie close together, in the directions in which texts differ.
Uniform noise would be much harder than any text, and many copies of a few texts much easier. The queries are real
questions, which lie elsewhere than documents and are harder to answer than a document taken as a query.
"""

import faiss
import numpy as np

from benchmarks import base, lanes, texts
from service.machine.arrays import Vectors

_REAL = 4000
_WORDS = 24
_MADE_AT_ONCE = 50_000


def corpus_and_queries(count: int, queries: int, seed: int = 0) -> tuple[Vectors, Vectors]:
    """`count` document vectors and up to `queries` query vectors, unit length."""
    real, asked = _real(seed)
    found, near = faiss.knn(real, real, 2, metric=faiss.METRIC_INNER_PRODUCT)
    # Of a text that is there twice the difference to itself would move nothing.
    apart = np.flatnonzero(found[:, 1] < 0.999)
    pick = np.random.default_rng(seed)
    made = np.empty((count, real.shape[1]), dtype=np.float32)
    for start in range(0, len(made), _MADE_AT_ONCE):
        part = made[start : start + _MADE_AT_ONCE]
        moved = pick.choice(apart, len(part))
        scale = pick.uniform(0.3, 1.0, (len(part), 1)).astype(np.float32)
        part[:] = real[pick.integers(len(real), size=len(part))] + scale * (real[moved] - real[near[moved, 1]])
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return made, pick.permutation(asked)[:queries]


def _real(seed: int) -> tuple[Vectors, Vectors]:
    """Unit vectors of texts of about 24 words, and of all questions."""
    with lanes.running(base.folder()) as (encoder, scheduler):
        documents = encoder.prepare(texts.passages(_REAL, seed, _WORDS), "document")
        questions = encoder.prepare(texts.questions(), "query")
        found = [scheduler.submit(encoder, items, "bulk").result() for items in (documents, questions)]
        return encoder.finish(found[0]), encoder.finish(found[1])
