"""Counts and checksums of two places, each read for itself."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b

from service.wiring.moving.contents import Contents
from service.wiring.moving.tables import TABLES, Row

_BYTES = 16


@dataclass(frozen=True, slots=True)
class Sum:
    """How many rows there are, and the sum of their hashes, which no order changes."""

    rows: int = 0
    checksum: int = 0

    def __str__(self) -> str:
        return f"{self.rows:,} rows, checksum {self.checksum:0{2 * _BYTES}x}"


@dataclass(frozen=True, slots=True)
class Compared:
    """The rows of one kind on both sides."""

    kind: str
    source: Sum
    target: Sum

    @property
    def is_equal(self) -> bool:
        """Whether both sides have the same rows."""
        return self.source == self.target


def compare(source: Contents, target: Contents, report: Callable[[str], None]) -> list[Compared]:
    """Sum up both sides and compare each kind of rows, which is reported before."""
    here, there = kinds(source), kinds(target)
    compared = []
    for kind in here | there:
        report(f"comparing {kind}")
        compared.append(Compared(kind, summed(here.get(kind, _nothing)()), summed(there.get(kind, _nothing)())))
    return compared


def kinds(contents: Contents) -> dict[str, Callable[[], Iterator[Row]]]:
    """Return the way to the rows of each kind, by its name."""
    by_kind: dict[str, Callable[[], Iterator[Row]]] = {"counters": contents.counters}
    by_kind |= {table.name: partial(contents.rows, table) for table in TABLES}
    for fingerprint in sorted(contents.fingerprints()):
        by_kind[f"vectors of {fingerprint}"] = partial(contents.vectors, fingerprint)
        by_kind[f"windowings of {fingerprint}"] = partial(contents.windowings, fingerprint)
    return by_kind


def summed(rows: Iterable[Row]) -> Sum:
    """Sum up rows, whose values are hashed as Python writes them."""
    count = total = 0
    for row in rows:
        count += 1
        total += int.from_bytes(blake2b(repr(row).encode(), digest_size=_BYTES).digest())
    return Sum(count, total % (1 << 8 * _BYTES))


def _nothing() -> Iterator[Row]:
    return iter(())
