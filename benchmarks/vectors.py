"""Any number of vectors with the structure of real embeddings, and queries for them.

Some thousand texts are embedded with all-MiniLM-L6-v2. All vectors are made of theirs: one, moved by the difference
between another one and its nearest neighbour. So vectors are dense where texts are, and differ as texts differ. Uniform
noise would be much harder to search than texts, and many copies of a few texts much easier. The queries are real
questions: they lie elsewhere than documents, and are harder than documents used as queries.
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
    real, questions = _real(seed)
    cosines, near = faiss.knn(real, real, 2, metric=faiss.METRIC_INNER_PRODUCT)
    # A text that is there twice has no difference to its nearest neighbour.
    apart = np.flatnonzero(cosines[:, 1] < 0.999)
    pick = np.random.default_rng(seed)
    made = np.empty((count, real.shape[1]), dtype=np.float32)
    for start in range(0, len(made), _MADE_AT_ONCE):
        part = made[start : start + _MADE_AT_ONCE]
        moved = pick.choice(apart, len(part))
        scale = pick.uniform(0.3, 1.0, (len(part), 1)).astype(np.float32)
        part[:] = real[pick.integers(len(real), size=len(part))] + scale * (real[moved] - real[near[moved, 1]])
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return made, pick.permutation(questions)[:queries]


def real_texts(seed: int = 0) -> list[str]:
    """Texts of about 24 words, whose vectors all others are made of."""
    return list(texts.passages(_REAL, seed, _WORDS))


def _real(seed: int) -> tuple[Vectors, Vectors]:
    """Unit vectors of the texts, and of all questions."""
    with lanes.running(base.folder()) as (encoder, scheduler):
        documents = encoder.prepare(real_texts(seed), "document")
        questions = encoder.prepare(texts.questions(), "query")
        raw = [scheduler.submit(encoder, items, "bulk").result() for items in (documents, questions)]
        return encoder.finish(raw[0]), encoder.finish(raw[1])
