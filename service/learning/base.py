"""The seam of what users do: searches that are kept, and events, which say what somebody did with the results.

They lie in a database of their own, so that their size and their loss do not touch the corpus.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from service.learning.insights import Insights, Period

# A thumb up, a thumb down, and one that was taken back.
THUMBS = ("good", "bad", "withdraw")
# The actions that judgements are derived from. Others are kept and mean nothing to Instar.
INTERPRETED = (*THUMBS, "click", "cite", "copy", "dwell")
# The latest searches among which those that have shown a document are looked for.
LOOKED_THROUGH = 100_000
# Results of a search that are kept.
MOST_RESULTS = 100


@dataclass(frozen=True, slots=True)
class Shown:
    """A result that a search has shown, at `rank` from 1."""

    document: str
    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class LoggedSearch:
    """A search with its results, best first. `user` and `session` are keyed hashes; `filter` is JSON.

    `query_id` is the id by which its client names it, if another system has answered it.
    """

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
    query_id: str | None = None


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
    `dwelt` has the sum of the seconds of `dwell` in searches in which it was clicked, of each at most 30.
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


@dataclass(frozen=True, slots=True)
class Frequency:
    """How many searches had a query in a collection."""

    collection: str
    query: str
    searches: int


class SearchGone(Exception):
    """Another process has removed a search that events are about."""


class FeedbackStore(Protocol):
    """Searches and events in one database. Safe from any thread."""

    def log(self, searches: Sequence[LoggedSearch]) -> int:
        """Keep the searches durably, all or none, and count their impressions.

        Returns how many were there already, by their id or `query_id`, and are not kept again. Those of a user whom
        another process has forgotten since they were asked are left out. Raises StorageFailed if they cannot be
        written.
        """

    def named(self, identities: Collection[str]) -> dict[str, LoggedSearch]:
        """Return, by its name, each search with one of these as its id or else as its `query_id`, if it is kept."""

    def searches(self, after: str | None, limit: int, showing: tuple[str, str] | None = None) -> list[LoggedSearch]:
        """Return up to `limit` searches, the latest first, from the one after the id `after` on.

        `showing` is a collection and a document's id: of the latest `LOOKED_THROUGH` searches, only those that have
        shown this document.
        """

    def count_showing(self, collection: str, document: str) -> int:
        """Count the searches, of the latest `LOOKED_THROUGH` ones, that have shown the document."""

    def add(self, events: Sequence[Event], about: Collection[str] = ()) -> int:
        """Store the events durably, all or none.

        Returns how many were there already, by their id, and are not stored. `about` are the ids of searches that the
        events have their texts from: raises SearchGone if another process has removed one of them meanwhile.
        """

    def events(self) -> Iterator[Event]:
        """All events, in the order of their arrival."""

    def impressions(self) -> Iterator[Impressions]:
        """The counts of everything that was shown, those of searches that are no longer kept included."""

    def thumbs(self, collection: str | None, limit: int) -> list[Event]:
        """Return the `limit` thumbs that arrived last, the last first; of these, those of `collection` (None: all)."""

    def most_asked(self, collection: str | None, recent: int, limit: int) -> tuple[int, list[Frequency]]:
        """Count searches by their queries: the `recent` latest ones that are kept, and dropped ones as far as they lie
        in `recent` counts.

        Returns how many searches of `collection` (None: of any) that are, and up to `limit` queries of it, those with
        the most searches first. Of equal ones, the query that was new most recently comes first.
        """

    def insights(self, period: Period) -> Insights:
        """Count what was asked and how it was judged. Writes go on meanwhile, and are not seen."""

    def forget(self, user: str) -> int:
        """Remove everything of the user with this hash, from all files. Returns how many searches and events it was."""

    def knows_users(self) -> bool:
        """Whether anything here was sent with a user, whose hash only the key can make again that made it."""

    def now(self) -> datetime:
        """Return the moment by the clock of the store, which all processes share that write to it."""

    def drop(self, before: datetime) -> int:
        """Drop searches from before that moment which got no feedback. Returns how many.

        How often a query was asked stays known by days, for `COUNTED_DAYS` days.
        """

    def size(self) -> int:
        """Return the bytes that a backup takes. Raises StorageFailed if the store cannot be read."""

    def backup(self, target: Path) -> None:
        """Write one moment of the store to the new file `target`. Writers go on.

        Raises StorageFailed if it fails, and Conflict if the store is backed up by tools of its own.
        """

    def check(self) -> None:
        """Look through everything that is stored. Raises StorageFailed if it is damaged."""

    def close(self) -> None: ...
