"""The check that a freshly loaded reranker is sound.

Scores must be finite, must tell texts apart, and must equal those that the trainer saw.
"""

import numpy as np

from service.errors import CheckpointRefused, EncodingFailed
from service.machine.arrays import Scores
from service.models import probe
from service.models.base import Reranker
from service.models.encoding import Encoding

_QUERY = "How do I reset the device?"
# The most that the score of a canary may differ: engines in another precision differ by less.
_MAX_DIFFERENCE = 0.03


async def check(reranker: Reranker, encoding: Encoding) -> None:
    """Raise CheckpointRefused, with the reason, unless `reranker` is sound."""
    name = reranker.checkpoint.id
    try:
        scores = await _scores(reranker, encoding, _QUERY, probe.TEXTS)
    except EncodingFailed as error:
        raise CheckpointRefused(
            f"{name} gives scores that are not finite (NaN or infinity in its weights?): train or copy it again"
        ) from error
    if not np.ptp(scores):
        raise CheckpointRefused(f"{name} gives every text the score {scores[0]:.4f}: train or copy it again")
    manifest = reranker.checkpoint.manifest
    for pair in manifest.pairs if manifest else ():
        (score,) = await _scores(reranker, encoding, pair.query, [pair.text])
        (expected,) = reranker.scores(np.array([[pair.logit]], dtype=np.float32))
        if not abs(score - expected) <= _MAX_DIFFERENCE:
            raise CheckpointRefused(
                f"{name} gives a canary the score {score:.4f} in place of {expected:.4f}: package it again, with the"
                " versions of sentence-transformers and torch that this service has"
            )


async def _scores(reranker: Reranker, encoding: Encoding, query: str, texts: "tuple[str, ...] | list[str]") -> Scores:
    items = await encoding.on_tokenizer_thread(reranker.pairs, query, texts)
    return reranker.scores(await encoding.raw(reranker, items, "bulk", patient=True))
