"""The seam of what users do: searches that are kept, and events, which say what somebody did with the results.

They lie in a database of their own, so that their size and their loss do not touch the corpus.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

# The actions that judgements are derived from. Others are kept and mean nothing to Instar.
INTERPRETED = ("good", "bad", "click", "cite", "copy", "dwell")


@dataclass(frozen=True, slots=True)
class Shown:
    """A result that a search has shown, at `rank` from 1."""

    document: str
    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class LoggedSearch:
    """A search with its results, best first. `user` and `session` are keyed hashes; `filter` is JSON."""

    id: str
    at: datetime
    collection: str
    query: str
    mode: str
    k: int
    generation: int
    checkpoint: str
    results: Sequence[Shown]
    filter: str | None = None
    reranker: str | None = None
    key: str | None = None
    user: str | None = None
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a user did with an answer: with some of its documents, or, if it names none, with all of it.

    `search` is the id of the search that the answer was made of, if the client knows it. `value` belongs to the action:
    seconds of `dwell`. `user` and `session` are keyed hashes.
    """

    id: str
    at: datetime
    action: str
    collection: str
    query: str
    documents: Sequence[str] = ()
    search: str | None = None
    value: float | None = None
    note: str | None = None
    key: str | None = None
    user: str | None = None
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Impressions:
    """How often a generation has shown a document to a query at one rank, from 1, and what users did with it there.

    `clicked` counts searches in which it was clicked, `skipped` those in which it was not and one below it was.
    `dwelt` has the sum of the seconds of `dwell` in searches in which it was clicked.
    """

    collection: str
    query: str
    document: str
    generation: int
    rank: int
    shown: int
    clicked: int = 0
    skipped: int = 0
    dwelt: float = 0.0


@dataclass(frozen=True, slots=True)
class Derived:
    """A judgement that was derived from events: `weight` is from above 0 to 1, a person's own word would be 1."""

    collection: str
    query: str
    document: str
    good: bool
    weight: float
    source: Literal["feedback", "click"]


class FeedbackStore(Protocol):
    """Searches and events in one database. Safe from any thread."""

    def log(self, searches: Sequence[LoggedSearch]) -> None:
        """Keep the searches, and count their impressions. Raises StorageFailed if they cannot be written."""

    def search(self, identity: str) -> LoggedSearch | None: ...
    def searches(self, after: str | None, limit: int) -> list[LoggedSearch]:
        """Return up to `limit` searches, the latest first, from the one after the id `after` on."""

    def add(self, events: Sequence[Event]) -> int:
        """Store the events durably, all or none.

        Returns how many were there already, by their id, and are not stored.
        """

    def events(self) -> Iterator[Event]:
        """All events, in the order of their arrival."""

    def impressions(self) -> Iterator[Impressions]:
        """The counts of everything that was shown, those of searches that are no longer kept included."""

    def forget(self, user: str) -> int:
        """Remove everything of the user with this hash, from all files. Returns how many searches and events it was."""

    def knows_users(self) -> bool:
        """Whether anything here was sent with a user, whose hash only the key can make again that made it."""

    def drop(self, before: datetime) -> int:
        """Drop searches from before that moment which got no feedback. Returns how many."""

    def check(self) -> None:
        """Look through everything that is stored. Raises StorageFailed if it is damaged."""

    def close(self) -> None: ...
