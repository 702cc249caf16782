"""The seam below the indexes: where the vectors of all document fingerprints are kept, a folder of files or a database.

An index that is built from stored vectors knows these Protocols, and does not know where the vectors lie.
"""

from collections.abc import Set
from typing import Protocol

from service.corpus.base import Seqs
from service.index.base import StoredVectors
from service.index.rows import Rows
from service.machine import huge_pages
from service.machine.arrays import Empty, Spans


class VectorSource(StoredVectors, Protocol):
    """The stored vectors of one document fingerprint, and what an index reads of them to be built."""

    @property
    def dimensions(self) -> int:
        """The length of a vector."""
        ...

    def get(self, seqs: Seqs, empty: Empty = huge_pages.empty) -> Rows | None:
        """Return the rows of the ascending `seqs`, or None if a document has none or a damaged one.

        `empty` makes the array of their vectors. What is damaged is forgotten, so it is missing from then on.
        """
        ...

    def cuts(self, seqs: Seqs) -> tuple[Seqs, Spans]:
        """Return the documents of `seqs` (ascending) that are in `partial`, each as often as it has windows (n,), and
        their spans (n, 2). No checksum is compared.
        """
        ...

    def close(self) -> None:
        """Let go of the stored vectors."""
        ...


class VectorStores(Protocol):
    """Opens, counts and deletes the stored vectors of all fingerprints. Making one touches nothing."""

    def open_store(self, fingerprint: str, dimensions: int) -> VectorSource:
        """Open the vectors of a fingerprint. Those that are damaged or have other dimensions are begun anew."""
        ...

    def stored(self, fingerprint: str) -> Seqs:
        """List the sequence numbers that have a vector, ascending, as far as they can be read; this changes nothing."""
        ...

    def highest_stored(self) -> int:
        """Return the highest sequence number that has a vector of any fingerprint, 0 without any."""
        ...

    def fingerprints(self) -> set[str]:
        """Return the fingerprints that have stored vectors."""
        ...

    def forget(self, keep: Set[str], spare: int) -> list[str]:
        """Delete the vectors of all fingerprints, except `keep` and the `spare` others that were used last.

        Returns these others, the one used last first.
        """
        ...

    def disk(self, size: int) -> int:
        """Return the bytes of this machine's disk that vectors of so many bytes take."""
        ...
