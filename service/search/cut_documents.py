"""Counts the documents that are cut: of which a search by vector finds a part alone, because no window has the rest."""

import threading
from collections.abc import Sequence

import numpy as np

from service.corpus.base import Documents, Seqs
from service.generations.loaded import LoadedGenerations
from service.index.base import View
from service.index.rows import first_rows
from service.models.windowing import Windowings, is_cut

# Texts that are held at a time.
_PORTION = 1000


class CutDocuments:
    """Counts the cut documents of the active generation by collection. Safe from any thread.

    It remembers which are cut, so that a count looks at those alone that were written since the one before it. The
    first count of a document fingerprint looks at all documents, and reads the texts of those that may be cut.
    """

    def __init__(self, documents: Documents, generations: LoadedGenerations, windowings: Windowings) -> None:
        self._documents = documents
        self._generations = generations
        self._windowings = windowings
        self._lock = threading.Lock()
        self._fingerprint: str | None = None
        # All documents up to this sequence number have been looked at.
        self._looked_to = 0
        self._cut: dict[str, Seqs] = {}

    def count(self) -> dict[str, int]:
        """Count the cut documents of each collection, by its name; a collection that has none may be left out.

        Raises NotReady before a generation is active.
        """
        index = self._generations.acquire().index
        with self._lock:
            if index.fingerprint != self._fingerprint:
                self._fingerprint, self._looked_to, self._cut = index.fingerprint, 0, {}
            # Read before the views, which then have every document up to it.
            complete_to = index.complete_to
            cut = dict(self._cut)
            for collection, seqs in self._documents.live(self._looked_to).items():
                more = self._cut_of(index.view(collection), collection, seqs[seqs <= complete_to])
                cut[collection] = np.concatenate((cut.get(collection, more[:0]), more))
            self._cut = {
                collection: left
                for collection, seqs in cut.items()
                if len(left := seqs[index.view(collection).holds(seqs, None)])
            }
            self._looked_to = complete_to
            return {collection: len(seqs) for collection, seqs in self._cut.items()}

    def _cut_of(self, view: View, collection: str, seqs: Seqs) -> Seqs:
        """Return those of ascending documents that the view holds and that are cut."""
        if not view.windowed:
            return seqs[:0]
        seqs, spans = view.spans(seqs[view.holds(seqs, None)])
        starts = first_rows(seqs)
        ends = np.append(starts[1:], len(seqs))
        # The windows of other documents reach to the end of the text.
        windows = ends - starts
        may_be_cut = (windows == 1) | (windows >= self._windowings.of(collection).most)
        may_be_cut &= spans[ends - 1, 1] > 0
        searchable = np.column_stack((spans[starts, 0], spans[ends - 1, 1]))[may_be_cut]
        suspects = seqs[starts][may_be_cut]
        portions = [slice(start, start + _PORTION) for start in range(0, len(suspects), _PORTION)]
        masks = [self._which_are_cut(suspects[each].tolist(), searchable[each].tolist()) for each in portions]
        cut: Seqs = suspects[np.concatenate([np.zeros(0, np.bool_), *masks])]
        return cut

    def _which_are_cut(self, seqs: Sequence[int], searchable: Sequence[tuple[int, int]]) -> Sequence[bool]:
        texts = self._documents.fetch(seqs)
        # One that was purged in between is no longer there to be counted.
        return [
            seq in texts and is_cut(texts[seq].text, (start, end))
            for seq, (start, end) in zip(seqs, searchable, strict=True)
        ]
