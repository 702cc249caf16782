"""Takes from a ranking so many documents of each value of a metadata key, such as the best three of each source.

A document is taken if fewer than `size` were taken before it of each of its values. One without a value is a group of
its own, because nothing says that it belongs to another one.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.corpus.base import Documents
from service.corpus.facets import values_of
from service.corpus.filters import Condition, IndexedValue
from service.search.fusion import Scored

# Documents whose metadata is read at a time.
_READ = 256


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """At most `size` documents of each value of the metadata key `key`, a dotted path."""

    key: str
    size: int


class Room:
    """The room that is left in each group."""

    def __init__(self, spec: GroupSpec) -> None:
        self._spec = spec
        self._sizes: Counter[IndexedValue] = Counter()

    @property
    def full(self) -> Condition | None:
        """The condition that a document meets if it belongs to a group without room; None: every group has room."""
        values = [value for value, size in self._sizes.items() if size >= self._spec.size]
        return Condition(self._spec.key, "in", tuple(values)) if values else None

    def take(self, metadata: Mapping[str, Any]) -> bool:
        """Whether all groups of a document with that metadata have room, which it then takes."""
        values = values_of(metadata, self._spec.key)
        has_room = all(self._sizes[value] < self._spec.size for value in values)
        if has_room:
            self._sizes.update(values)
        return has_room


class Groups:
    """The documents taken so far from one ranking, which comes in portions."""

    def __init__(self, documents: Documents, spec: GroupSpec, most: int) -> None:
        """At most `most` documents are taken."""
        self._documents = documents
        self._room = Room(spec)
        self._most = most
        self.taken: list[tuple[int, float]] = []

    @property
    def whole(self) -> bool:
        """Whether there is no room for more documents."""
        return len(self.taken) >= self._most

    @property
    def full(self) -> Condition | None:
        """The condition that a document meets if it belongs to a group without room; None: every group has room."""
        return self._room.full

    def take(self, portion: Scored) -> None:
        """Take documents from the next portion of the ranking, as far as there is room."""
        for start in range(0, len(portion), _READ):
            part = portion[start : start + _READ]
            documents = self._documents.fetch([seq for seq, _ in part])
            for seq, score in part:
                if self.whole:
                    return
                if self._room.take(documents[seq].metadata if seq in documents else {}):
                    self.taken.append((seq, score))
