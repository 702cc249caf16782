"""The stores that the contract is held against, and the parts that its tests share."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from service.learning.base import Event, FeedbackStore, Impressions, LoggedSearch, Shown
from service.learning.memory import MemoryFeedbackStore
from service.learning.postgres.store import PostgresFeedbackStore
from service.learning.sqlite.store import SqliteFeedbackStore
from tests.support import schemas
from tests.support.postgres import SERVERS


class EmptiedStore(PostgresFeedbackStore):
    """A store in the schema of all tests, which it leaves empty."""

    def __init__(self, programs: Path) -> None:
        super().__init__(schemas.shared_database(programs))

    def close(self) -> None:
        with self._database.write() as connection:
            connection.execute(
                "DELETE FROM asked; DELETE FROM searches; DELETE FROM events; DELETE FROM dropped; DELETE FROM daily"
            )


def emptied(programs: Path, _: Path) -> FeedbackStore:
    return EmptiedStore(programs)


STORES: dict[str, Callable[[Path], FeedbackStore]] = {
    "memory": lambda _: MemoryFeedbackStore(),
    "sqlite": lambda folder: SqliteFeedbackStore(folder / "learning.db"),
    **{name: partial(emptied, programs) for name, programs in SERVERS.items()},
}
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def searched(identity: str, *documents: str, minutes: float = 0, **more: Any) -> LoggedSearch:
    """A search of the query "q" that has shown the documents, best first, so many minutes after noon."""
    results = tuple(Shown(document, rank, 1 / rank) for rank, document in enumerate(documents, 1))
    fields: dict[str, Any] = {
        "collection": "default",
        "query": "q",
        "mode": "hybrid",
        "k": 10,
        "generation": 1,
        "checkpoint": "one@0123456789ab",
        **more,
    }
    return LoggedSearch(id=identity, at=NOON + timedelta(minutes=minutes), results=results, **fields)


def did(identity: str, action: str, *documents: str, search: str | None = None, **more: Any) -> Event:
    """An event about the documents."""
    fields: dict[str, Any] = {"collection": "default", "query": "q", **more}
    return Event(id=identity, at=NOON, action=action, documents=documents, search=search, **fields)


def counts(store: FeedbackStore) -> dict[tuple[str, int], tuple[int, int, int, float]]:
    """Shown, clicked, skipped and dwelt of each document and rank."""
    rows = list(store.impressions())
    assert len({(row.query, row.document, row.generation, row.rank) for row in rows}) == len(rows)
    return {(row.document, row.rank): (row.shown, row.clicked, row.skipped, row.dwelt) for row in rows}


def impressions(store: FeedbackStore) -> set[Impressions]:
    return set(store.impressions())
