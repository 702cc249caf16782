"""Points of a map in groups, by collection or by a metadata key, as they are coloured."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.corpus.base import Documents, Seqs
from service.corpus.filters import Condition, index_value
from service.generations.maps.map_folder import Map
from service.machine.arrays import Vectors

# Groups that have a colour of their own; all other documents are one group more.
MOST = 8
# Collections in which values are counted, the largest first.
_COLLECTIONS = 100
_Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Group:
    """Documents with one value. `value` None: all documents that are in no other group."""

    value: _Value | None
    documents: int


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The documents of a map that are still there (n,), ascending, their positions (n, 2), and the group of each."""

    seqs: Seqs
    positions: Vectors
    group: NDArray[np.uint8]
    groups: Sequence[Group]


def points_of(drawn: Map, documents: Documents, key: str | None) -> Points:
    """Return the points, grouped by the values of the metadata `key`; None: by collection."""
    members = _on(drawn, documents.live())
    alive = np.isin(drawn.seqs, np.concatenate([np.empty(0, np.int64), *members.values()]), assume_unique=True)
    seqs, positions = drawn.seqs[alive], drawn.positions[alive]
    by_value = _by_collection(members) if key is None else _by_value(documents, members, key)
    group = np.full(len(seqs), len(by_value), np.uint8)
    for number, (_, having) in enumerate(by_value):
        group[np.isin(seqs, having)] = number
    counts = np.bincount(group, minlength=len(by_value) + 1).tolist()
    groups = [Group(value, counts[number]) for number, (value, _) in enumerate(by_value)]
    return Points(seqs, positions, group, groups + ([Group(None, counts[-1])] if counts[-1] else []))


def count(drawn: Map, live: Mapping[str, Seqs]) -> tuple[int, int, int]:
    """Return how many documents of the map are `live`, by collection, how many are not, and how many came after it."""
    shown = sum(len(seqs) for seqs in _on(drawn, live).values())
    new = sum(int((seqs > drawn.about.last_seq).sum()) for seqs in live.values())
    return shown, len(drawn.seqs) - shown, new


def collection_of(documents: Documents, seq: int) -> tuple[str, str] | None:
    """Return the collection and the id of a document by its sequence number; None if it is not there any more."""
    for name in documents.collections():
        page = documents.page(name, seq - 1, 1)
        if page and page[0].seq == seq:
            return name, page[0].document.id
    return None


def _on(drawn: Map, live: Mapping[str, Seqs]) -> dict[str, Seqs]:
    """Return the live documents that are on the map, by collection."""
    members = {name: np.intersect1d(seqs, drawn.seqs, assume_unique=True) for name, seqs in live.items()}
    return {name: seqs for name, seqs in members.items() if len(seqs)}


def _by_collection(members: Mapping[str, Seqs]) -> list[tuple[_Value, Seqs]]:
    """Return the largest collections, the largest first."""
    return [(name, members[name]) for name in sorted(members, key=lambda name: -len(members[name]))[:MOST]]


def _by_value(documents: Documents, members: Mapping[str, Seqs], key: str) -> list[tuple[_Value, Seqs]]:
    """Return the documents that have each of the most frequent values of a key, dead ones included."""
    largest = sorted(members, key=lambda name: -len(members[name]))[:_COLLECTIONS]
    # Python takes true for 1, and the service does not.
    counts: Counter[tuple[str, _Value]] = Counter()
    for name in largest:
        for counted in documents.count_values(name, key, members[name], 4 * MOST):
            counts[index_value(counted.value).kind, counted.value] += counted.count
    by_value = []
    for (_, value), _ in counts.most_common(MOST):
        condition = Condition(key, "in", (index_value(value),))
        by_value.append((value, np.concatenate([documents.meeting(name, condition) for name in largest])))
    return by_value
