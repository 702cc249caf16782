"""Errors of a corpus in any store."""

from collections.abc import Sequence
from typing import Literal

from service.corpus import dump
from service.errors import Conflict, InsufficientResources, NotFound, StorageFailed, TooLarge

_LISTED = 20


def disk_full(name: str) -> InsufficientResources:
    """The disk of the file or database `name` has no room left."""
    return InsufficientResources(f"the disk of {name} is full: free some room, then try again")


def unusable(name: str, reason: object) -> StorageFailed:
    """The file or database `name` cannot be read or written."""
    return StorageFailed(f"{name} cannot be used ({reason}): check the disk, then try again")


class Damaged(StorageFailed):
    """A file is not as it was written."""

    def __init__(self, name: str, reason: object) -> None:
        super().__init__(f"{name} is damaged ({reason}): restore a backup, and check the disk")
        self.reason = reason


def no_collection(name: str, collections: Sequence[str]) -> NotFound:
    """There is no collection `name`; `collections` lists the others."""
    listed = ", ".join(collections[:_LISTED]) + (", …" if len(collections) > _LISTED else "")
    return NotFound(
        f"there is no collection {name[:80]!r}: there are {listed or 'none yet, POST /documents makes one'}",
        "collection",
    )


def collection_gone(name: str, collections: Sequence[str]) -> NotFound:
    """There is no collection `name` to delete; `collections` lists the others."""
    listed = ", ".join(collections[:_LISTED]) or "none yet"
    return NotFound(f"there is no collection {name[:80]!r}: there are {listed}", "name")


def collection_in_use(name: str, documents: int) -> Conflict:
    """The sample is to be written into a collection that has documents."""
    return Conflict(f"the collection {name[:80]!r} has {documents} documents: name one that has none")


def backed_up_by_its_server(schema: str) -> Conflict:
    """The corpus is in a schema of PostgreSQL, whose own backups have it, so the service writes no copy."""
    return Conflict(
        f"the corpus is in PostgreSQL, which has backups of its own: run {dump.command(schema, 'instar.dump')}, or"
        " archive its log, and copy the folder of checkpoints"
    )


def too_many_judgements(verb: Literal["are", "would be"], count: int, limit: int) -> TooLarge:
    """A request has `count` judgements, or would lead to that many, and `limit` are allowed."""
    return TooLarge(
        f"there {verb} {count} judgements, more than {limit}: send fewer, or raise INSTAR_LIMITS__JUDGEMENTS",
        "judgements",
    )
