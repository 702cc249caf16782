"""What others write is shown in the order of their log, each change whole, whatever the database has by then."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.cluster.alone import Alone
from service.corpus.base import Change, Document, GenerationRecord, Seqs
from service.corpus.memory.records import MemoryRecords
from service.errors import NotReady, StorageFailed
from service.generations.builder import Builder
from service.generations.generation import Generation
from service.generations.generations import Generations
from service.index.base import VectorIndex
from service.index.exact import ExactIndexes
from service.index.rows import whole
from service.index.vector_folder import VectorFolder
from service.machine.writer import WritingThread
from service.observability.observer import Unobserved
from service.writing.following import Following
from tests.support.hashed import HashedModel

DIMENSIONS = HashedModel.dimensions
# A second document is written, then the first one is replaced.
CHANGES = [Change("default", 1, (2,), (), 1, "a"), Change("default", 2, (3,), (1,), 2, "b")]


class Database:
    """A database that has all changes already, and a log that is read one change at a time."""

    def __init__(self) -> None:
        self.away = False
        self.log = CHANGES
        self.counts: list[int] = []
        self.index: VectorIndex

    def position(self) -> int:
        return self.log[-1].position if self.counts else 0

    def on_turn(self, _hear: object, _require: object) -> None: ...

    def wait(self, _: float) -> None:
        if self.away:
            raise StorageFailed("the database is away")

    def changes_after(self, position: int, _: int) -> list[Change]:
        self.counts.append(self.index.stats().documents)
        return [change for change in self.log if position < change.position <= position + 1]

    def mark(self, position: int) -> str | None:
        return next((change.mark for change in self.log if change.position == position), None)

    def last_seq(self) -> int:
        return 3 if self.counts else 1

    def live(self, after: int = 0) -> dict[str, Seqs]:
        return {"default": np.array([seq for seq in (2, 3) if seq > after])}

    def fetch(self, _: object) -> dict[int, Document]:
        return {}


class Words:
    """An index of words that has everything."""

    complete_to = 9

    def prepare(self, _change: object, _texts: object) -> Any:
        return lambda: None


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def following(tmp_path: Path, database: Database) -> Following:
    """What follows a log, with an index that has the first document."""
    # It never tokenizes for a user here.
    model: Any = HashedModel()
    store: Any = database
    words: Any = Words()
    nobody: Any = None
    indexes = ExactIndexes(VectorFolder(tmp_path))
    database.index = indexes.open(model.checkpoint.fingerprint, DIMENSIONS)
    database.index.store.put(whole(np.arange(1, 4), np.eye(3, DIMENSIONS, dtype=np.float32)))
    database.index.build({"default": np.array([1])}, 1)()
    record = GenerationRecord(
        model=model.checkpoint.id,
        fingerprint=model.checkpoint.fingerprint,
        dimensions=DIMENSIONS,
        built=datetime.now(UTC),
    )
    thread, observer = WritingThread(), Unobserved()
    generations = Generations(MemoryRecords(), thread, Alone(), retain=1, aliases={}, observer=observer)
    generations.active = Generation(record, model, database.index)
    builder = Builder(
        documents=store,
        generations=generations,
        encoding=nobody,
        indexes=indexes,
        headroom=nobody,
        thread=thread,
        observer=observer,
    )
    return Following(store, store, words, generations, builder, thread, lambda: None)


def test_a_document_that_is_replaced_is_there_once_at_every_moment(following: Following, database: Database) -> None:
    following.start()
    following.catch_up()
    assert database.counts == [1, 2, 2]
    assert following.position == 2
    assert database.index.complete_to == 3


def test_a_log_that_has_lost_what_is_shown_is_followed_no_more(following: Following, database: Database) -> None:
    following.start()
    following.catch_up()
    # As after a failover to a standby that had not yet heard of the last change.
    database.log = CHANGES[:1]
    with pytest.raises(StorageFailed, match="has lost changes that this replica shows"):
        following.catch_up()
    # Others write again, under the numbers that are shown here.
    database.log = CHANGES
    with pytest.raises(StorageFailed, match="remove the folders graphs and words"):
        following.catch_up()
    with pytest.raises(NotReady, match="start it again"):
        asyncio.run(following.refresh(0.01, 0.05))


@pytest.mark.parametrize("others", [(), (Change("default", 3, (4,), (), 3, "d"),)])
def test_a_log_in_which_others_have_written_again_what_it_had_lost_is_followed_no_more(
    following: Following, database: Database, others: tuple[Change, ...]
) -> None:
    following.start()
    following.catch_up()
    database.log = [CHANGES[0], replace(CHANGES[1], mark="c"), *others]
    with pytest.raises(StorageFailed, match="has lost changes that this replica shows"):
        following.catch_up()
    assert following.position == 2


def test_a_change_of_this_process_is_the_last_that_is_shown(following: Following, database: Database) -> None:
    following.start()
    following.catch_up()
    written = Change("default", 3, (), (2,), 3, "c")
    following.wrote(written)
    database.log = [*CHANGES, written]
    following.catch_up()
    # The log was trimmed of it, and others have gone on.
    following.wrote(Change("default", 3, (), (3,), 4, "d"))
    database.log = [Change("default", 3, (), (), 5, "e")]
    following.catch_up()
    assert following.position == 5


def test_a_log_that_cannot_be_read_holds_requests_up_for_no_longer_than_one_waits(
    following: Following, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    following.start()
    database.away = True

    async def ask() -> None:
        running = asyncio.create_task(following.run())
        with pytest.raises(NotReady, match="has not seen the changes"):
            await following.refresh(0.01, 0.05)

        async def wait(*_: object) -> None:
            raise AssertionError

        monkeypatch.setattr(following, "_until", wait)
        with pytest.raises(NotReady, match="has not seen the changes"):
            await following.refresh(0.01, 0.05)
        running.cancel()

    asyncio.run(ask())
