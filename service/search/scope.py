"""The part of a view that one search looks at."""

from dataclasses import dataclass

from service.index.base import Allowed, View
from service.machine.arrays import Vectors
from service.search.fusion import Scored


@dataclass(frozen=True, slots=True)
class Scope:
    """The documents `allowed` of a view (None: all). Words are looked up in `collection`, or in all if it is None."""

    view: View
    allowed: Allowed | None
    collection: str | None

    def dense(self, vectors: Vectors, depth: int) -> list[Scored]:
        """Return the first `depth` by vector, for each of the vectors (n, dimensions)."""
        return [
            list(zip(seqs.tolist(), scores.tolist(), strict=True))
            for seqs, scores in self.view.search(vectors, depth, self.allowed)
        ]
