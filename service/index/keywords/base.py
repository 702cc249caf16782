"""The seam of the index of words. `tests/contract/test_keywords.py` holds its implementations to it.

The words depend on no model, so all generations share one index. It has each version that was written, and may go on
finding dead ones for a while: a search looks at them through a view of vectors, which does not have them.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from service.corpus.base import Change, Seqs, Span
from service.index.base import Maintenance, Publish


@dataclass(frozen=True, slots=True)
class KeywordRanking:
    """The versions that have words of a query, and the highest score that a text could have for it.

    `portions` yields (sequence number, score): best first, and ascending among equal scores. Scores are above 0 and
    at most `max_score`.
    """

    portions: Generator[list[tuple[int, float]]]
    max_score: float


class KeywordView(Protocol):
    """One moment of the index. Safe from any thread."""

    def documents(self, collection: str) -> int:
        """Count the versions of a collection, dead ones that the index still has included."""
        ...

    def rank(self, query: str, collection: str, depth: int, among: Seqs | None = None) -> KeywordRanking:
        """Rank the versions of a collection that have a word or an identifier of the query.

        With `among`, the ascending sequence numbers of few documents, no others are ranked. The first portion has about
        `depth` of them, so that one that is enough costs least. Words are weighed by their frequency in the collection.
        """
        ...


class Keywords(Protocol):
    """The part of the index that a search asks. Safe from any thread."""

    def view(self) -> KeywordView:
        """Return the index as the last write left it."""
        ...

    def highlights(self, query: str, texts: Sequence[str], collection: str | None = None) -> list[list[Span]]:
        """Return for each text the spans that a search for `query` finds in it, ascending and disjoint.

        With `collection`, words are left out that are so frequent there that they say little beside the others.
        """
        ...


class KeywordIndex(Keywords, Protocol):
    """The whole index. The writing thread makes all changes of what it shows."""

    @property
    def complete_to(self) -> int:
        """The sequence number up to which the index has every version that was live when it was loaded, or later."""
        ...

    def load(self) -> None:
        """Make every document of the corpus searchable, before the first write. Raises as the corpus does."""
        ...

    def prepare(self, change: Change, texts: Sequence[str]) -> Publish:
        """Prepare the effect of one write, with the texts of the added versions. The returned function shows it."""
        ...

    def maintain(self) -> Sequence[Maintenance]:
        """Return pieces of work that keep searches fast, each for any thread and at any time, but one at a time."""
        ...
