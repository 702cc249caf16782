"""Vectors that are there already, because another version has the same text.

Within one document fingerprint the text alone decides a document's vector, so equal texts are embedded once.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from service.index.faiss.index import Index

# Vectors (dimensions,) by the text that they are of.
TextVectors = dict[str, NDArray[np.float32]]


def at_hand(index: Index, sources: Mapping[str, Sequence[int]]) -> TextVectors:
    """The stored vectors of those texts of `sources` for which one of their versions has one."""
    stored = index.store.some([seq for seqs in sources.values() for seq in seqs])
    return {
        text: stored[seq]
        for text, seqs in sources.items()
        if (seq := next((seq for seq in seqs if seq in stored), None)) is not None
    }


def copy(index: Index, sources: Mapping[int, Sequence[int]]) -> None:
    """Store for each version the vector of one of its `sources`, if one is there."""
    stored = index.store.some([seq for seqs in sources.values() for seq in seqs])
    copies = {
        version: stored[seq]
        for version, seqs in sources.items()
        if (seq := next((seq for seq in seqs if seq in stored), None)) is not None
    }
    if copies:
        index.keep(list(copies), np.stack(list(copies.values())))
