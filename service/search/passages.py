"""The windows of the documents that a search has found, and which of them is nearest to the query."""

from dataclasses import dataclass

import numpy as np

from service.index.base import View
from service.machine.arrays import Spans, Vectors, Windows
from service.search.fusion import Scored


@dataclass(frozen=True, slots=True)
class Passages:
    """The windows of a document in characters (w, 2), and the nearest one to the query; None: it has no vector."""

    spans: Spans
    nearest: int | None


def passages_of(view: View, vector: Vectors | None, scored: Scored) -> dict[int, Passages]:
    """Return the passages of the documents that are not one window, by sequence number."""
    if not view.windowed or not scored:
        return {}
    seqs = [seq for seq, _ in scored]
    return {
        seq: Passages(windows.spans, nearest_window(windows, vector))
        for seq, windows in zip(seqs, view.windows(np.array(seqs, dtype=np.int64)), strict=True)
        if windows.spans.any()
    }


def nearest_window(windows: Windows, vector: Vectors | None) -> int | None:
    """Return which window of a document is the nearest one to the unit vector of a query; None: it has no vector."""
    return None if vector is None else int(np.argmax(windows.vectors @ vector))
