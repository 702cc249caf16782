"""The check that a freshly loaded encoder is sound, before any work is put into its generation.

Vectors must be finite, must tell texts apart, and must equal those that the trainer saw (canaries).
"""

import numpy as np

from service.checkpoints.manifest import MIN_CANARY_COSINE
from service.errors import CheckpointRefused, EncodingFailed
from service.models.base import ServedModel
from service.models.encoding import Encoding

# Unrelated on purpose: a sound model keeps them apart.
TEXTS = (
    "The invoice was paid twice and the customer wants the second payment back.",
    "Volcanic ash grounded all flights over the northern islands.",
    "To reset the device, hold both buttons for ten seconds.",
    "Her grandmother's recipe calls for cardamom and brown butter.",
    "The function returns None when the key is missing.",
    "Rents in the old harbour district doubled within four years.",
    "A goalkeeper may not touch a back pass with the hands.",
    "Photosynthesis turns light into chemical energy.",
    "The court adjourned the hearing until the witness had recovered.",
    "Error 503: the upstream server closed the connection.",
    "Two violins and a cello play the second movement in unison.",
    "Plant the bulbs in October, twice as deep as they are tall.",
)

# The highest mean cosine between the texts above. all-MiniLM-L6-v2 has 0.02, and even untrained, strongly anisotropic
# models stay below 0.99.
_MAX_MEAN_COSINE = 0.995


async def check(encoder: ServedModel, encoding: Encoding) -> None:
    """Raise CheckpointRefused, with the reason, unless `encoder` is sound."""
    name = encoder.checkpoint.id
    try:
        vectors = await encoding.embed(encoder, TEXTS, "document", "bulk", patient=True)
        await encoding.embed(encoder, TEXTS[:1], "query", "bulk", patient=True)
    except EncodingFailed as error:
        raise CheckpointRefused(not_finite(name)) from error
    norms = np.linalg.norm(vectors, axis=1)
    if norms.min() < 0.5:
        raise CheckpointRefused(f"{name} gives vectors of length zero: train or copy it again")
    cosines = (vectors @ vectors.T)[np.triu_indices(len(TEXTS), 1)]
    if cosines.mean() > _MAX_MEAN_COSINE:
        raise CheckpointRefused(
            f"{name} has collapsed: unrelated texts have a mean cosine of {cosines.mean():.4f}; train it again with a"
            " smaller learning rate"
        )
    await _check_canaries(encoder, encoding)


def not_finite(name: str) -> str:
    """The reason why the checkpoint of that name, whose vectors are not finite, is refused."""
    return f"{name} gives vectors that are not finite (NaN or infinity in its weights?): train or copy it again"


async def _check_canaries(encoder: ServedModel, encoding: Encoding) -> None:
    manifest = encoder.checkpoint.manifest
    for canary in manifest.canaries if manifest else ():
        (vector,) = await encoding.embed(encoder, [canary.text], canary.side, "bulk", patient=True)
        expected = np.array(canary.vector, dtype=np.float32)
        cosine = float(vector @ expected) if vector.shape == expected.shape else 0.0
        if cosine < min(MIN_CANARY_COSINE, encoder.min_agreement):
            raise CheckpointRefused(
                f"{encoder.checkpoint.id} does not reproduce its canary vectors (cosine {cosine:.4f} of a"
                f" {canary.side}): it was not saved as it was trained, or the library versions differ; package it again"
            )
