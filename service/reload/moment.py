"""One moment of a collection, in which several searches see equal documents whatever is written between them."""

from dataclasses import dataclass

from service.index.base import VectorIndex, View


@dataclass(frozen=True, slots=True)
class Moment:
    """A view of one collection, which can be searched like an index."""

    seen: View

    @classmethod
    def of(cls, index: VectorIndex, collection: str) -> "Moment":
        """The collection as it is now."""
        return cls(index.view(collection))

    def view(self, collection: str) -> View:  # noqa: ARG002 (an index has several)
        """Return the view, of whose collection all searches are."""
        return self.seen
