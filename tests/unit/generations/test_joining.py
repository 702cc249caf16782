"""A replica prepares what the leading one asks for, whatever it lacks itself, and says so if it cannot."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from service.cluster.base import Request
from service.errors import CheckpointRefused, StorageFailed
from service.generations import joining
from service.generations.joining import Joining, Missing
from service.machine.writer import WritingThread

# A step back from generation 2, of the checkpoint two, to generation 1.
BACK = Request("one", 1, ticket=5)


class Replica:
    """The models of a replica, and what it is asked for. `failures` are raised for checkpoints, by their names."""

    def __init__(self) -> None:
        self.request: Request | None = None
        self.missing: Missing | None = None
        self.failures: dict[str, Exception] = {}
        # The checkpoints that it began to load, with the numbers of their generations, and what it has loaded now.
        self.begun: list[tuple[str, int]] = []
        self.loaded: set[str] = set()
        self.caught_up = 0
        self.behind = False
        self.thread = WritingThread()
        self.joining = Joining(self, {"dense": self}, self.thread)

    def current(self) -> Request | None:
        return self.request

    def adopt(self) -> None:
        if self.missing is not None and self.missing.model in self.loaded:
            self.missing = None

    def catch_up(self) -> None:
        self.caught_up += 1
        if self.behind:
            raise StorageFailed("the database has lost changes")

    @asynccontextmanager
    async def beside(self, model: str, number: int, only_builds: Callable[[], bool]) -> AsyncIterator[None]:
        self.begun.append((model, number))
        assert not only_builds()
        if model in self.failures:
            raise self.failures[model]
        self.loaded.add(model)
        try:
            yield
        finally:
            self.loaded.discard(model)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds; fails if it does not come to hold."""
        for _ in range(1000):
            if condition():
                return
            await asyncio.sleep(0.005)
        pytest.fail(f"it did not come to hold: {self.begun[:5]}")


def with_replica(test: Callable[[Replica], Awaitable[None]]) -> None:
    async def run() -> None:
        replica = Replica()
        task = asyncio.create_task(replica.joining.run(replica.catch_up))
        await test(replica)
        task.cancel()
        await asyncio.wait([task])
        assert replica.loaded == set()
        await asyncio.to_thread(replica.thread.close)

    asyncio.run(run())


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "_LOOK_EVERY", 0.001)


def test_what_another_replica_waits_for_goes_before_an_active_model_that_cannot_be_loaded() -> None:
    async def test(replica: Replica) -> None:
        replica.failures["two"] = CheckpointRefused("there is no room")
        replica.missing = Missing("two", 2)
        await replica.until(lambda: replica.joining.problem is not None)
        assert replica.joining.unable is None
        replica.request = BACK
        await replica.until(lambda: replica.joining.prepared == BACK.ticket)
        # Nobody waits any more, and nothing was activated.
        replica.request = None
        await replica.until(lambda: replica.begun == [("two", 2), ("one", 1), ("two", 2)])
        assert replica.joining.prepared is None

    with_replica(test)


def test_one_that_can_load_neither_says_so_of_what_it_is_asked_for() -> None:
    async def test(replica: Replica) -> None:
        replica.failures = {name: CheckpointRefused(f"{name} is damaged") for name in ("one", "two")}
        replica.missing, replica.request = Missing("two", 2), BACK
        await replica.until(lambda: replica.joining.unable == BACK.ticket)
        assert replica.joining.problem == "one cannot be prepared: one is damaged"
        # That says nothing of the one that it lacks.
        assert (replica.joining.missing, replica.joining.hindrance) == ("two", None)
        replica.request = None
        await replica.until(lambda: replica.joining.hindrance == "two cannot be prepared: two is damaged")

    with_replica(test)


def test_the_end_of_a_request_is_read_of_before_another_one_is_prepared() -> None:
    async def test(replica: Replica) -> None:
        replica.request = Request("two", ticket=4)
        await replica.until(lambda: replica.joining.prepared == 4)
        before = replica.caught_up
        replica.request = BACK
        await replica.until(lambda: replica.joining.prepared == BACK.ticket)
        assert replica.caught_up - before == 1

    with_replica(test)


def test_one_that_cannot_follow_the_others_holds_up_none_that_waits_for_it() -> None:
    async def test(replica: Replica) -> None:
        async def ask(name: str, ticket: int) -> None:
            replica.request = Request(name, ticket=ticket)
            await replica.until(lambda: replica.joining.prepared == ticket)

        replica.behind = True
        await ask("two", 4)
        await ask("three", 5)
        # Nobody waits any more, and what is prepared may be active.
        replica.request = None
        before = replica.caught_up
        await replica.until(lambda: replica.caught_up > before)
        assert replica.loaded == {"three"}

    with_replica(test)


def test_another_number_of_the_same_model_is_prepared_anew_and_the_first_one_of_a_new_generation_is_not() -> None:
    async def test(replica: Replica) -> None:
        replica.request = Request("two", ticket=4)
        await replica.until(lambda: replica.joining.prepared == 4)
        replica.request = Request("two", 2, ticket=5)
        await replica.until(lambda: replica.joining.prepared == 5)
        assert replica.begun == [("two", 0)]
        replica.request = Request("one", 1, ticket=6)
        await replica.until(lambda: replica.joining.prepared == 6)
        replica.request = Request("one", ticket=7)
        await replica.until(lambda: replica.joining.prepared == 7)
        assert replica.begun == [("two", 0), ("one", 1), ("one", 0)]

    with_replica(test)


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), MemoryError(), RuntimeError("bad allocation")])
def test_any_error_is_said_and_followed_by_a_pause(error: Exception) -> None:
    async def test(replica: Replica) -> None:
        replica.failures["one"] = error
        replica.request = BACK
        await replica.until(lambda: replica.joining.unable == BACK.ticket)
        assert (replica.joining.problem or "").startswith(f"one cannot be prepared: {type(error).__name__}: {error}")
        await asyncio.sleep(0.05)
        assert len(replica.begun) == 1

    with_replica(test)


def test_what_missed_something_after_it_was_prepared_is_loaded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "_AGAIN", 0.001)

    async def test(replica: Replica) -> None:
        replica.request = Request("two", ticket=4)
        await replica.until(lambda: replica.joining.prepared == 4)
        # A write could not be embedded with it, so it follows no more. Then it becomes active.
        replica.loaded.discard("two")
        replica.missing, replica.request = Missing("two", 2), None
        await replica.until(lambda: replica.missing is None)
        assert [model for model, _ in replica.begun] == ["two", "two"]

    with_replica(test)
