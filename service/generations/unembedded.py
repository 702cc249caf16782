"""Documents that lack a vector of a fingerprint, in portions that any process can embed, in any order and twice."""

from collections.abc import Mapping

import numpy as np

from service.cluster.portion import Portion, cut
from service.corpus.base import Documents, Seqs
from service.index.base import IndexFactory
from service.models.windowing import Windowing, Windowings

# Documents of a portion: at least as many as are stored at a time, so that a batch of the model is full, and so few
# that a portion that is lost costs minutes at most.
_LEAST, _MOST = 128, 1024
# Portions that a corpus is cut into if that lies in between: progress is counted by them.
_PORTIONS = 1000


class Unembedded:
    """The documents of a corpus, up to the last one at the beginning, that lack a vector of a document fingerprint."""

    def __init__(self, documents: Documents, indexes: IndexFactory, windowings: Windowings, fingerprint: str) -> None:
        self._documents = documents
        self._indexes = indexes
        self._windowings = windowings
        self._fingerprint = fingerprint
        self._last = documents.last_seq()

    def portions(self) -> tuple[list[Portion], int]:
        """Cut the documents without a vector into portions; returns these, and the number of all documents."""
        live = {collection: seqs[seqs <= self._last] for collection, seqs in self._documents.live().items()}
        missing = self._missing(live)
        size = _portion_size(sum(map(len, missing.values())))
        portions = [portion for windowing, seqs in missing.items() for portion in cut(seqs, windowing, size)]
        return portions, sum(map(len, live.values()))

    def _missing(self, live: Mapping[str, Seqs]) -> dict[Windowing, Seqs]:
        """The documents of `live` without a vector, by the way in which they are cut."""
        stored = self._indexes.stored(self._fingerprint)
        alike: dict[Windowing, list[Seqs]] = {}
        for collection, seqs in live.items():
            missing = np.setdiff1d(seqs, stored, assume_unique=True)
            alike.setdefault(self._windowings.of(collection), []).append(missing)
        return {windowing: np.sort(np.concatenate(parts)) for windowing, parts in alike.items()}


def _portion_size(documents: int) -> int:
    return min(max(documents // _PORTIONS, _LEAST), _MOST)
