"""The material of a map: which documents are on it, and one vector for each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.corpus.base import Seqs
from service.index.base import StoredVectors
from service.machine.arrays import Vectors, Windows

# The most documents on a map. Of more, a sample is drawn.
MOST = 200_000
# Documents whose vectors are read at a time, which holds the interpreter for a moment.
_PORTION = 500
# The multiplier and the shift of a mixing step (splitmix64).
_MIX, _SHIFT = np.uint64(0xBF58476D1CE4E5B9), np.uint64(29)


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Documents (n,), ascending, whose vectors (n, dimensions) are in a file, and the number of all documents."""

    seqs: Seqs
    documents: int


def sampled(live: Seqs, most: int = MOST) -> Seqs:
    """Return up to `most` of the ascending documents: a random sample, the same one for every generation.

    The order of their hashes decides, so most of a sample stays when documents come or go.
    """
    if len(live) <= most:
        return live
    mixed = live.astype(np.uint64) * _MIX
    mixed = (mixed ^ (mixed >> _SHIFT)) * _MIX
    return np.sort(live[np.argpartition(mixed, most)[:most]])


def gather(
    live: Mapping[str, Seqs], store: StoredVectors, dimensions: int, path: Path, note: Callable[[int, int], None]
) -> Material:
    """Write the vectors of the live documents, by collection, that have any to the new file `path`.

    A document of several windows has the mean of their vectors, at length 1. `note` is told how many documents are done
    and how many there are.
    """
    everything = np.sort(np.concatenate([np.empty(0, np.int64), *live.values()]))
    wanted = sampled(everything)
    rows = np.lib.format.open_memmap(path, "w+", np.float32, (len(wanted), dimensions))
    have = np.zeros(len(wanted), np.bool_)
    for start in range(0, len(wanted), _PORTION):
        note(start, len(wanted))
        portion = wanted[start : start + _PORTION].tolist()
        windows = store.some(portion)
        present = [offset for offset, seq in enumerate(portion) if seq in windows]
        have[[start + offset for offset in present]] = True
        for offset in present:
            rows[start + offset] = _mean(windows[portion[offset]])
    rows.flush()
    if not have.all():
        # A generation that does not answer lacks what was written since. The file must not change while it is mapped.
        whole = rows[have]
        del rows
        np.save(path, whole)
    return Material(wanted[have], len(everything))


def former_positions(seqs: Seqs, known: Seqs, positions: Vectors) -> Vectors | None:
    """Return the positions (n, 2) of documents on a map that has the ascending `known` (m,) at `positions` (m, 2).

    Documents that it does not have get NaN; None: it has none of them.
    """
    if not len(known):
        return None
    rows = np.searchsorted(known, seqs).clip(max=len(known) - 1)
    shared = known[rows] == seqs
    if not shared.any():
        return None
    former = np.full((len(seqs), 2), np.nan, np.float32)
    former[shared] = positions[rows[shared]]
    return former


def _mean(windows: Windows) -> Vectors:
    mean: Vectors = windows.vectors[0]
    if len(windows) > 1:
        mean = windows.vectors.mean(axis=0)
        mean /= np.linalg.norm(mean) or 1.0
    return mean


def rows_of(ascending: Seqs, seqs: Sequence[int]) -> NDArray[np.int64]:
    """Return the rows of those `seqs` that are among the `ascending` ones."""
    wanted = np.asarray(seqs, dtype=np.int64)
    rows = np.searchsorted(ascending, wanted)
    inside = rows < len(ascending)
    rows, wanted = rows[inside], wanted[inside]
    matching: NDArray[np.int64] = rows[ascending[rows] == wanted]
    return matching
