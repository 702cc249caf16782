"""The stores that the contract is held against, and the parts that its tests share."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from hypothesis import strategies as st

from service.corpus.base import Change, CorpusStore, Document, GenerationRecord
from service.corpus.memory.store import MemoryStore
from service.corpus.postgres.store import PostgresStore
from service.corpus.sqlite.store import SqliteStore
from service.settings.data_folder import DataFolder
from tests.support import schemas
from tests.support.postgres import DEBIAN, PACKAGED

MOST = 6


class DroppedStore(PostgresStore):
    """A store in a new schema, which ends with it."""

    def __init__(self, programs: Path) -> None:
        super().__init__(schemas.new_database(programs), MOST)

    def close(self) -> None:
        schemas.drop(self._database)
        super().close()


class EmptiedStore(PostgresStore):
    """A store in an empty schema, which another one has after it."""

    def __init__(self, programs: Path) -> None:
        self._free = schemas.free(programs)
        super().__init__(self._free.pop() if self._free else schemas.new_database(programs), MOST)

    def close(self) -> None:
        schemas.empty(self._database)
        self._free.append(self._database)


POSTGRES = {"postgres 18": PACKAGED} | ({"postgres 15": DEBIAN} if DEBIAN else {})
STORES: dict[str, Callable[[Path], CorpusStore]] = {
    "memory": lambda _: MemoryStore(MOST),
    "sqlite": lambda folder: SqliteStore(DataFolder(folder), MOST),
}
for _name, _programs in POSTGRES.items():
    STORES[_name] = partial(lambda programs, _: EmptiedStore(programs), _programs)
COLLECTIONS = ("default", "other")
# No English ending, which a store may or may not take off.
WORDS = ("kazu", "moro", "tibu", "E-17")

collections = st.sampled_from(COLLECTIONS)
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)


def accept(_: Change) -> None:
    """Let every change pass."""


def put(store: CorpusStore, collection: str = "default", **texts: str) -> list[int]:
    """Put a document of each text; returns their sequence numbers."""
    made = [Document(identity, text, {}) for identity, text in texts.items()]
    return list(store.documents.put(collection, made, accept).added)


def record(model: str, number: int = 0) -> GenerationRecord:
    return GenerationRecord(number=number, model=model, fingerprint="f", dimensions=4, built=datetime.now(UTC))
