"""A start brings back what can be brought back, and gives up only what no later start could load either."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from service.cluster.alone import Alone
from service.corpus.base import Change, Document, GenerationRecord
from service.corpus.memory.store import MemoryStore
from service.errors import CheckpointRefused, InsufficientResources, NotFound, StorageFailed
from service.generations.generation import Generation
from service.generations.generations import Generations
from service.generations.restore import Restore
from service.generations.rollback import RollbackTargets
from service.index.exact import ExactIndexes
from service.index.keywords.index import TwoPartKeywords
from service.index.vector_folder import VectorFolder
from service.machine.writer import WritingThread
from service.observability.observer import Unobserved
from tests.support.hashed import HashedModel

ACTIVE, RETAINED = "active", "retained"


def succeed(_: str) -> None:
    """Let a model be loaded and indexed."""


@dataclass
class Start:
    """The start of a service whose generation 2 is active and whose generation 1 is retained.

    `load`, `open` and `index` are called with the name of a model, and may raise.
    """

    folder: Path
    load: Callable[[str], None] = succeed
    open: Callable[[str], None] = succeed
    index: Callable[[str], None] = succeed
    lost: bool = False
    shared: bool = False
    retain: int = 1
    store: MemoryStore = field(default_factory=lambda: MemoryStore(10))
    # The models and the fingerprints that a job needs.
    needed: tuple[set[str], set[str]] = field(default_factory=lambda: (set(), set()))
    # The highest number of a stored vector.
    stored: int = 0

    def run(self) -> Generations:
        self.indexes, self.thread = ExactIndexes(VectorFolder(self.folder / "vectors")), WritingThread()
        self.keywords = TwoPartKeywords(self.folder / "words", self.store.documents, seal_from=1)
        records = self.store.records
        if not records.generations():
            for name in (RETAINED, ACTIVE):
                self.activate(name)
        alone, observer = Alone(), Unobserved()
        alone.shared = self.shared
        parts: Any = Parts(self)
        self.parts = parts
        generations = Generations(records, self.thread, alone, retain=self.retain, aliases={}, observer=observer)
        self.generations = generations
        restore = Restore(
            activation=parts,
            builder=parts,
            housekeeping=parts,
            loader=parts,
            generations=generations,
            keywords=self.keywords,
            observer=observer,
        )
        asyncio.run(restore.run(HashedModel(ACTIVE).checkpoint.id, lambda: (set(self.needed[0]), set(self.needed[1]))))
        self.thread.close()
        assert restore.stage == "ready"
        assert generations.active is not None
        assert self.states()[generations.active.number] == "active"
        return generations

    def activate(self, name: str, number: int = 0) -> None:
        """Record that the generation, or a new one of that name, became active under a setting that retains two."""
        model: Any = HashedModel(name)
        record = GenerationRecord(
            number=number,
            model=model.checkpoint.id,
            fingerprint=model.checkpoint.fingerprint,
            dimensions=model.dimensions,
            built=datetime.now(UTC),
        )
        self.store.records.activate(record, 2)

    def states(self) -> dict[int, str]:
        return {record.number: record.state for record in self.store.records.generations()}


class Parts:
    """What a restoration needs beside the generations, as far as these tests look at it."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self.purges = 0

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"nobody asks for {name} here")

    def load(self, *arguments: Any) -> Any:
        """Load a model, or the index of the active generation."""
        if len(arguments) > 1:
            return asyncio.sleep(0)
        name = arguments[0].partition("@")[0]
        self._start.load(name)
        return HashedModel(name)

    def require(self, identity: str) -> None:
        """Say that there is such a checkpoint."""
        assert identity == HashedModel(RETAINED).checkpoint.id

    def is_lost(self, identity: str) -> bool:
        assert identity
        return self._start.lost

    def open_index(self, model: HashedModel) -> Any:
        self._start.open(model.checkpoint.name)
        return self._start.indexes.open(model.checkpoint.fingerprint, model.dimensions)

    async def load_stored(self, index: Any) -> None:
        # Deletes reach the indexes of the set alone.
        assert index in list(self._start.generations.indexes())
        self._start.index(RETAINED)
        index.build({}, 0)()

    async def reserve_stored(self) -> None:
        self._start.store.documents.reserve(self._start.stored)

    async def purge(self) -> None:
        """Delete nothing, and count."""
        self.purges += 1

    def forget_unused(self, *needed: set[str]) -> None:
        """Delete nothing."""
        self.needed = needed


def failing(error: Exception) -> Callable[[str], None]:
    def fail(name: str) -> None:
        if name == RETAINED:
            raise error

    return fail


def test_both_generations_come_back(tmp_path: Path) -> None:
    generations = Start(tmp_path).run()
    assert [former.number for former in generations.retained] == [1]
    assert not generations.kept


@pytest.mark.parametrize("step", ["load", "open", "index"])
@pytest.mark.parametrize(
    "error",
    [
        StorageFailed("the disk fails"),
        InsufficientResources("there is no room"),
        MemoryError("there is no memory"),
        OSError("the disk cannot be read"),
    ],
)
def test_a_retained_generation_for_which_there_is_no_room_now_is_left_out_until_the_next_start(
    tmp_path: Path, step: str, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    start = Start(tmp_path, **{step: failing(error)})  # type: ignore[arg-type]
    generations = start.run()
    assert generations.retained == generations.kept == ()
    assert len(list(generations.indexes())) == 1
    assert start.states() == {2: "active", 1: "retained"}
    assert f"left out until the next start, because it cannot be loaded now: {error}" in caplog.text
    again = Start(tmp_path, store=start.store)
    assert [former.number for former in again.run().retained] == [1]


def test_a_trial_that_failed_this_time_releases_nothing(tmp_path: Path) -> None:
    lost = failing(CheckpointRefused("torch was tried in a process of its own, and it took too much memory"))
    start = Start(tmp_path, load=lost)
    assert start.run().retained == ()
    assert start.states() == {2: "active", 1: "retained"}


@pytest.mark.parametrize("error", [CheckpointRefused("it was altered"), NotFound("it is not there")])
def test_a_generation_whose_checkpoint_is_altered_or_gone_is_released(
    tmp_path: Path, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    start = Start(tmp_path, load=failing(error), lost=True)
    assert start.run().retained == ()
    assert start.states() == {2: "active", 1: "released"}
    assert f"generation 1 is released, because it cannot be loaded: {error}" in caplog.text


@pytest.mark.parametrize("error", [CheckpointRefused("it was altered"), NotFound("it is not there")])
def test_a_replica_without_a_copy_of_the_checkpoint_releases_nothing_for_the_others(
    tmp_path: Path, error: Exception
) -> None:
    start = Start(tmp_path, load=failing(error), lost=True, shared=True)
    assert start.run().retained == ()
    assert start.states() == {2: "active", 1: "retained"}


def test_a_step_back_leads_to_a_generation_that_was_left_out_by_its_record(tmp_path: Path) -> None:
    def target(start: Start) -> Generation | GenerationRecord:
        generations = start.run()
        targets = RollbackTargets(generations, start.store.records, start.parts, start.parts)
        return asyncio.run(targets.find(None))

    start = Start(tmp_path, load=failing(InsufficientResources("there is no room")))
    record = target(start)
    assert isinstance(record, GenerationRecord)
    assert record.number == 1
    loaded = target(Start(tmp_path, store=start.store))
    assert isinstance(loaded, Generation)
    assert loaded.number == 1


@pytest.mark.parametrize("shared", [False, True])
def test_a_start_that_is_to_retain_nothing_loads_nothing_else(tmp_path: Path, shared: bool) -> None:
    start = Start(tmp_path, load=failing(AssertionError("it takes memory")), retain=0, shared=shared)
    assert start.run().retained == ()
    # Other replicas may retain it.
    assert start.states() == {2: "active", 1: "retained" if shared else "released"}


@pytest.mark.parametrize("shared", [False, True])
def test_a_start_that_is_to_retain_less_keeps_what_was_active_last(tmp_path: Path, shared: bool) -> None:
    before = Start(tmp_path, retain=2)
    for name, number in (("first", 0), ("second", 0), (ACTIVE, 0), ("first", 1), (ACTIVE, 3)):
        before.activate(name, number)
    retained = {3: "active", 1: "retained", 2: "retained"}
    assert [former.number for former in before.run().retained] == [1, 2]
    assert before.states() == retained
    after = Start(tmp_path, retain=1, shared=shared, store=before.store)
    assert [former.number for former in after.run().retained] == [1]
    assert after.states() == (retained if shared else retained | {2: "released"})


@pytest.mark.parametrize("shared", [False, True])
def test_a_start_deletes_no_dead_version_that_a_search_of_another_replica_may_have_found(
    tmp_path: Path, shared: bool
) -> None:
    start = Start(tmp_path, shared=shared)
    start.run()
    assert start.parts.purges == (0 if shared else 2)


def test_what_a_reload_needs_that_another_replica_begins_during_a_start_is_not_forgotten(tmp_path: Path) -> None:
    def begin(name: str) -> None:
        if name == RETAINED:
            for needed in start.needed:
                needed.add("another")

    start = Start(tmp_path, load=begin, shared=True)
    start.run()
    assert start.parts.needed == ({"another"}, {"another"})


def test_words_of_lost_writes_are_not_kept_for_the_writes_that_follow(tmp_path: Path) -> None:
    before = Start(tmp_path)
    put(before, "kazu", "moro", "tibu", "kazu")
    before.run()
    assert before.keywords.complete_to == 4
    # The corpus has lost all writes but the first, and the vectors of all of them are there.
    after = Start(tmp_path, stored=4)
    put(after, "kazu")
    after.run()
    assert after.store.documents.last_seq() == 4
    assert ranked(after, "kazu") == [1]
    assert ranked(after, "moro") == []
    later = put(after, "moro")
    assert later == [5]
    assert ranked(after, "moro") == later


def put(start: Start, *texts: str) -> list[int]:
    documents = [Document(f"d{number}", text, {}) for number, text in enumerate(texts)]
    published: list[Callable[[], None]] = []

    def prepare(change: Change) -> None:
        if hasattr(start, "keywords"):
            published.append(start.keywords.prepare(change, texts))

    change = start.store.documents.put("default", documents, prepare)
    for publish in published:
        publish()
    return list(change.added)


def ranked(start: Start, query: str) -> list[int]:
    with closing(start.keywords.view().rank(query, "default", 9).portions) as portions:
        return [seq for portion in portions for seq, _ in portion]
