"""How far tuning moved the documents, and whether it crowded them together."""

from collections.abc import Mapping

import numpy as np

from trainer.prove.rankings import Embedded, Rankings
from trainer.prove.report.model import Drift

# Random pairs of documents: their cosines tell a collapsed model from a sound one.
_RANDOM_PAIRS = 10_000
_OVERLAP_DEPTH = 10


def drift(embedded: Mapping[str, Embedded], rankings: Mapping[str, Rankings]) -> Drift:
    """Compare the vectors and rankings of `base` and `tuned`."""
    old, new = embedded["base"].documents, embedded["tuned"].documents
    cosines = np.sum(old * new, axis=1) if old.shape == new.shape else None
    shared = [
        len(set(documents[:_OVERLAP_DEPTH]) & set(rankings["tuned"].top[query][:_OVERLAP_DEPTH]))
        / len(documents[:_OVERLAP_DEPTH])
        for query, documents in rankings["base"].top.items()
    ]
    return Drift(
        cosine_mean=None if cosines is None else float(cosines.mean()),
        cosine_5th=None if cosines is None else float(np.percentile(cosines, 5)),
        overlap_at_10=float(np.mean(shared)),
    )


def collapse(embedded: Embedded, seed: int) -> float:
    """The mean cosine of random pairs of documents. It is near 1 if the model gives all texts nearly one vector."""
    draw = np.random.default_rng(seed)
    documents = embedded.documents
    left = draw.integers(len(documents), size=_RANDOM_PAIRS)
    # A shift by 1 or more never pairs a document with itself.
    right = (left + draw.integers(1, max(2, len(documents)), size=_RANDOM_PAIRS)) % len(documents)
    return float(np.mean(np.sum(documents[left] * documents[right], axis=1)))
