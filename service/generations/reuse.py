"""The reuse of stored vectors for documents of the same text.

Within one document fingerprint the text alone decides a document's vector, so equal texts are embedded once.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from service.errors import InsufficientResources, StorageFailed
from service.index.base import VectorIndex
from service.index.rows import Rows, stack
from service.machine.arrays import Windows

log = logging.getLogger(__name__)

# Windows by their texts.
TextWindows = dict[str, Windows]
# Whether every collection has these windows of their text.
Shared = Callable[[Windows], bool]


def at_hand(index: VectorIndex, sources: Mapping[str, Sequence[int]], shared: Shared) -> TextWindows:
    """The stored windows of texts, if they are `shared`. `sources` are, by text, the versions that have the text."""
    stored = _stored(index, sources.values(), shared)
    return {
        text: stored[seq]
        for text, seqs in sources.items()
        if (seq := next((seq for seq in seqs if seq in stored), None)) is not None
    }


def copy(index: VectorIndex, sources: Mapping[int, Sequence[int]], shared: Shared) -> None:
    """Store for each version the windows of one of its `sources`, versions of equal text, if they are `shared`."""
    stored = _stored(index, sources.values(), shared)
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
        # Nothing is lost: the next start embeds these documents again.
        documents = len(np.unique(rows.seqs))
        log.warning(
            "the vectors of %d documents are not stored, and the next start embeds them again: %s", documents, error
        )


def _stored(index: VectorIndex, sources: Iterable[Sequence[int]], shared: Shared) -> dict[int, Windows]:
    stored = index.store.some([seq for seqs in sources for seq in seqs])
    return {seq: windows for seq, windows in stored.items() if shared(windows)}
