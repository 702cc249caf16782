"""The seam of the index: vectors that are derived from the corpus and can be rebuilt, and the search among them.

A factory opens one index for each document fingerprint. An index stores vectors by the documents' sequence numbers,
and shows one view for each collection. Views never change, and any thread may read them. The writing thread makes all
changes of what an index shows; a method that may run on another thread says so.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from service.corpus.base import Change, Seqs
from service.corpus.filters import Condition, Filter
from service.index.rows import Rows
from service.machine.arrays import Spans, Vectors, Windows

Mask = NDArray[np.bool_]
Ranks = NDArray[np.int64]
# The result of `View.select`, which only views of the same index can read.
Allowed = Any
# Says which of ascending sequence numbers (n,) belong to versions that meet a condition, as a mask (n,).
Meeting = Callable[[Condition, Seqs], Mask]
# Shows a change that is ready. It runs on the writing thread, takes no time, and cannot fail.
Publish = Callable[[], None]
# Says whether nobody waits any longer for what is being built.
IsGivenUp = Callable[[], bool]
# Makes questions of documents with these sequence numbers, and returns their unit vectors (n, dimensions). It is for a
# thread other than the event loop's, and raises GivenUp.
Questions = Callable[[Seqs, IsGivenUp], Vectors]
# Builds on any thread; raises GivenUp.
Maintenance = Callable[[IsGivenUp], Publish]


class VectorsMissing(Exception):
    """Documents to be indexed have no vector yet."""


class GivenUp(Exception):
    """Nobody waits any longer for what was being built."""


@dataclass(frozen=True, slots=True)
class IndexStats:
    """Counts of documents that can be found, of all their windows, of the windows that are compared one by one, and of
    deleted windows that still take room.

    `recall` is recall@10 against exact search, by collection, measured when an index that is not exact was built.
    """

    documents: int
    windows: int
    fresh: int
    deleted: int
    recall: dict[str, float]


@dataclass(frozen=True, slots=True)
class Needed:
    """The bytes of memory that building an index takes, and the bytes of disk that its vectors take."""

    memory: int
    disk: int


class View(Protocol):
    """One moment of a collection. It never changes."""

    @property
    def windowed(self) -> bool:
        """Whether some document is not one window that is the whole text."""
        ...

    def search(self, queries: Vectors, k: int, allowed: Allowed | None) -> list[tuple[Seqs, Vectors]]:
        """Find, among the documents `allowed` (None: all), the `k` nearest ones of each unit vector (n, dimensions).

        A document is as near as its nearest window (MaxP: Dai and Callan 2019). Returns sequence numbers and cosines
        for each query, best first. Equal scores keep the order of writing.
        """
        ...

    def holds(self, seqs: Seqs, allowed: Allowed | None) -> Mask:
        """Say which of `seqs` (n,) are allowed documents of the view, as a mask (n,)."""
        ...

    def few(self, allowed: Allowed | None, most: int) -> Seqs | None:
        """Return the allowed documents of the view, ascending; None if they have more than `most` windows."""
        ...

    def windows(self, seqs: Seqs) -> list[Windows]:
        """Return the windows of documents that the view holds."""
        ...

    def spans(self, seqs: Seqs) -> tuple[Seqs, Spans]:
        """Return, for each window of ascending documents in the view, its document (n,) and its span (n, 2)."""
        ...

    def ranks(self, query: Vectors, seqs: Seqs, allowed: Allowed | None) -> tuple[Ranks, Vectors]:
        """Rank some allowed documents of the view among all its allowed ones.

        Returns their ranks, from 1, and their cosines with the unit vector `query`. Every document is compared, so the
        ranks are exact even if a search is not.
        """
        ...

    def select(self, tree: Filter, meeting: Meeting) -> Allowed:
        """Select the documents that pass the filter. An index that does not know the metadata asks `meeting`."""
        ...


class Views(Protocol):
    """Views of collections: those of an index, or of one moment of it."""

    def view(self, collection: str) -> View:
        """Return what is searchable in the collection; for any thread."""
        ...


class StoredVectors(Protocol):
    """The windows of one document fingerprint that outlive the process, by sequence number. Safe from any thread.

    Methods raise InsufficientResources if there is no room, StorageFailed if the storage fails.
    """

    def missing(self, seqs: Seqs) -> Seqs:
        """Return those of the distinct `seqs` that have no vector, in their order."""
        ...

    def put(self, rows: Rows) -> None:
        """Store the windows of these documents, in place of former ones."""
        ...

    def some(self, seqs: Sequence[int]) -> Mapping[int, Windows]:
        """Return the windows of the `seqs` that have any; of none after the index was closed."""
        ...

    def windowing(self) -> Mapping[str, str]:
        """Return, by collection, how documents that the model does not read whole were cut into the windows here."""
        ...

    def note_windowing(self, collection: str, windowing: str) -> None:
        """Record how the documents of a collection are cut into windows from now on."""
        ...

    def partial(self) -> Seqs:
        """Return, ascending, the documents of several windows, or of one that is not the whole text."""
        ...

    def prune(self, live: Seqs, high: int) -> None:
        """Forget the vectors up to the sequence number `high`, except those of the ascending `live`."""
        ...

    def drop(self, seqs: Sequence[int]) -> None:
        """Forget the vectors of `seqs`. Does nothing after the index was closed."""
        ...


class VectorIndex(Views, Protocol):
    """All collections in the vectors of one document fingerprint.

    The index is loaded once `build` has been published. From then on it is complete up to the sequence number
    `complete_to`: it has every live document at or below that. Deletes reach it whether it is complete or not.
    """

    @property
    def fingerprint(self) -> str:
        """The document fingerprint."""
        ...

    @property
    def dimensions(self) -> int:
        """The length of a vector."""
        ...

    @property
    def collections(self) -> int:
        """The number of collections that have documents."""
        ...

    @property
    def store(self) -> StoredVectors:
        """The stored vectors, searchable or not."""
        ...

    @property
    def loaded(self) -> bool:
        """Whether the index can be searched."""
        ...

    @property
    def complete_to(self) -> int:
        """The sequence number up to which the index has every live document."""
        ...

    def has(self, collection: str) -> bool:
        """Say whether a document of the collection is searchable at this moment; for any thread."""
        ...

    def live(self) -> dict[str, Seqs]:
        """Return the documents that are searchable at this moment, ascending, by collection; for any thread."""
        ...

    def stats(self) -> IndexStats:
        """Count the documents; for any thread."""
        ...

    def prepare(self, change: Change, rows: Rows | None) -> Publish:
        """Prepare the effect of one write. The returned function shows it.

        Without the `rows` of the added documents, or if the index is not complete up to the write, it shows the deletes
        alone.
        """
        ...

    def catch_up(self, gap: Mapping[str, Seqs], to: int) -> bool:
        """Add all documents written after `complete_to` and up to `to`, by collection, from their stored vectors.

        Returns false, and changes nothing, if one of them has no vector yet.
        """
        ...

    def build(
        self, live: Mapping[str, Seqs], to: int, given_up: IsGivenUp, questions: Questions | None = None
    ) -> Publish:
        """Make all live documents up to `to`, by collection, searchable from their stored vectors; for any thread.

        The index must hear of every delete since `live` was read. One that is not exact measures its recall by
        `questions`, if there are any. Raises VectorsMissing, and GivenUp soon after `given_up` answers true.
        """
        ...

    def maintain(self, questions: Questions | None = None) -> Sequence[Maintenance]:
        """Return pieces of work that keep searches fast, each for any thread and at any time.

        An index that is not exact measures its recall by `questions`, if there are any.
        """
        ...

    def rest(self) -> Sequence[Maintenance]:
        """Return pieces of work that free memory at the cost of slower searches, for an index that is seldom searched.

        `maintain` undoes them.
        """
        ...

    def close(self) -> None:
        """Let go of the stored vectors. Views go on answering."""
        ...


class IndexFactory(Protocol):
    """Opens indexes, and keeps the vectors of those that are closed. Making a factory touches no file."""

    def open(self, fingerprint: str, dimensions: int) -> VectorIndex:
        """Open the index of a document fingerprint with its stored vectors. It is not loaded yet."""
        ...

    def stored(self, fingerprint: str) -> Seqs:
        """List the sequence numbers that have a vector of the fingerprint, ascending, as far as they can be read.

        This changes nothing, and may run beside a process that has the index open.
        """
        ...

    def highest_stored(self) -> int:
        """Return the highest sequence number of a document that has a vector of any fingerprint, 0 without any."""
        ...

    def forget(self, keep: Set[str], spare: int) -> list[str]:
        """Delete the vectors of all fingerprints, except `keep` and the `spare` others that were used last.

        Returns these others, the one used last first.
        """
        ...

    def needed(self, windows: int, missing: int, dimensions: int) -> Needed:
        """Estimate what an index of so many windows takes, `missing` of which have no stored vector."""
        ...
