"""The reuse of stored vectors for documents of the same text.

Within one document fingerprint the text alone decides a document's vector, so equal texts are embedded once.
"""

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from service.errors import InsufficientResources, StorageFailed
from service.index.base import VectorIndex
from service.machine.arrays import Vectors

log = logging.getLogger(__name__)

# Vectors (dimensions,) by their texts.
TextVectors = dict[str, Vectors]


def at_hand(index: VectorIndex, sources: Mapping[str, Sequence[int]]) -> TextVectors:
    """The stored vectors of texts. `sources` are, by text, the sequence numbers of versions that have the text."""
    stored = index.store.some([seq for seqs in sources.values() for seq in seqs])
    return {
        text: stored[seq]
        for text, seqs in sources.items()
        if (seq := next((seq for seq in seqs if seq in stored), None)) is not None
    }


def copy(index: VectorIndex, sources: Mapping[int, Sequence[int]]) -> None:
    """Store for each version the vector of one of its `sources`, versions of equal text, unless none has a vector."""
    stored = index.store.some([seq for seqs in sources.values() for seq in seqs])
    copies = {
        version: stored[seq]
        for version, seqs in sources.items()
        if (seq := next((seq for seq in seqs if seq in stored), None)) is not None
    }
    if copies:
        keep(index, list(copies), np.stack(list(copies.values())))


def keep(index: VectorIndex, seqs: Sequence[int], vectors: Vectors) -> None:
    """Store the vectors (n, dimensions) of the documents `seqs`; a disk that fails costs only a warning."""
    try:
        index.store.put(seqs, vectors)
    except (StorageFailed, InsufficientResources, MemoryError) as error:
        # Nothing is lost: the next start embeds these documents again.
        log.warning(
            "the vectors of %d documents are not stored, and the next start embeds them again: %s", len(seqs), error
        )
