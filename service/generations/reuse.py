"""Vectors that are there already, because another version has the same text.

Within one document fingerprint the text alone decides a document's vector, so equal texts are embedded once.
"""

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from service.errors import InsufficientResources, StorageFailed
from service.index.base import VectorIndex
from service.index.rows import Rows, stack
from service.machine.arrays import Windows

log = logging.getLogger(__name__)

# Windows by the text that they are of.
TextWindows = dict[str, Windows]


def at_hand(index: VectorIndex, sources: Mapping[str, Sequence[int]]) -> TextWindows:
    """The stored windows of those texts of `sources` for which one of their versions has any."""
    stored = index.store.some([seq for seqs in sources.values() for seq in seqs])
    return {
        text: stored[seq]
        for text, seqs in sources.items()
        if (seq := next((seq for seq in seqs if seq in stored), None)) is not None
    }


def copy(index: VectorIndex, sources: Mapping[int, Sequence[int]]) -> None:
    """Store for each version the windows of one of its `sources`, if they are there."""
    stored = index.store.some([seq for seqs in sources.values() for seq in seqs])
    copies = {
        version: stored[seq]
        for version, seqs in sources.items()
        if (seq := next((seq for seq in seqs if seq in stored), None)) is not None
    }
    if copies:
        versions = sorted(copies)
        keep(index, stack(versions, [copies[version] for version in versions]))


def keep(index: VectorIndex, rows: Rows) -> None:
    """Store the windows of documents that the corpus has, as far as the disk lets us."""
    try:
        index.store.put(rows)
    except (StorageFailed, InsufficientResources, MemoryError) as error:
        # Nothing is lost: the next start embeds them again.
        log.warning("the vectors of %d documents are in memory only: %s", len(np.unique(rows.seqs)), error)
