"""The seam between a data folder and a schema of PostgreSQL: what a move reads of one, and writes to the other."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from service.settings.data_folder import DataFolder
from service.wiring.moving.tables import Row, Table


class Contents(Protocol):
    """One moment of everything that must not be lost. Rows come in any order."""

    @property
    def secrets(self) -> DataFolder:
        """The folder of the keys that belong to it."""
        ...

    def counters(self) -> Iterator[Row]:
        """Yield `last_seq` and `last_generation`, the highest numbers that were given, each behind its name."""
        ...

    def rows(self, table: Table) -> Iterator[Row]:
        """Yield the rows of a table; of documents, those that are live."""
        ...

    def fingerprints(self) -> dict[str, int]:
        """Return the document fingerprints that have stored vectors, and the dimensions of each."""
        ...

    def vectors(self, fingerprint: str) -> Iterator[Row]:
        """Yield number, vectors, spans and checksum of each live document that has stored vectors."""
        ...

    def windowings(self, fingerprint: str) -> Iterator[Row]:
        """Yield each collection, as bytes, and how its documents were cut into windows."""
        ...

    def has_changed(self) -> bool:
        """Say whether somebody has written since the moment."""
        ...


class Target(Protocol):
    """An empty place that is filled. It is a whole one only if its block ends without an error."""

    @property
    def secrets(self) -> DataFolder:
        """The folder of the keys that will belong to it."""
        ...

    def put_counters(self, rows: Iterable[Row]) -> None: ...
    def put(self, table: Table, rows: Iterable[Row]) -> None: ...
    def put_vectors(self, fingerprint: str, dimensions: int, rows: Iterable[Row]) -> None: ...
    def put_windowings(self, fingerprint: str, dimensions: int, rows: Iterable[Row]) -> None: ...
    def note_keys(self) -> None:
        """Take the keys in `secrets` for those of this place."""

    def contents(self) -> AbstractContextManager[Contents]:
        """Read what was written."""
        ...
