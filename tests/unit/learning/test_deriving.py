"""Judgements follow from events once they are derived, and go with the user they came from."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from service.corpus.judgements import JudgementFilter
from service.corpus.memory.store import MemoryStore
from service.errors import StorageFailed
from service.learning import deriving
from service.learning.base import Event
from service.learning.deriving import Deriving
from service.learning.memory import MemoryFeedbackStore
from service.machine.writer import WritingThread


@pytest.fixture
def thread() -> Iterator[WritingThread]:
    thread = WritingThread()
    yield thread
    thread.close()


def thumb(identity: str, *, user: str = "u1", action: str = "good") -> Event:
    return Event(identity, datetime(2026, 11, 28, tzinfo=UTC), action, "default", "a question", ("d1",), user=user)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; fails if it does not come to hold."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not come to hold")


def of_feedback(corpus: MemoryStore) -> list[tuple[str, bool]]:
    found = corpus.judgements.page(JudgementFilter(sources=frozenset({"feedback"})), None, 100)
    return [(judgement.document, judgement.good) for judgement in found]


def test_judgements_follow_from_events_and_go_with_their_user(thread: WritingThread) -> None:
    store, corpus = MemoryFeedbackStore(), MemoryStore(1000)
    derives = Deriving(store, corpus.judgements, thread, 1000)
    store.add([thumb("e1")])
    asyncio.run(derives.derive())
    assert of_feedback(corpus) == [("d1", True)]
    store.add([thumb(f"b{n}", user=f"v{n}", action="bad") for n in range(5)])
    asyncio.run(derives.derive())
    assert of_feedback(corpus) == [("d1", False)]
    for user in ("u1", *(f"v{n}" for n in range(5))):
        store.forget(user)
    asyncio.run(derives.derive())
    assert of_feedback(corpus) == []


def test_what_a_user_has_had_forgotten_does_not_come_back_from_an_earlier_derivation(thread: WritingThread) -> None:
    class Slow(MemoryFeedbackStore):
        """Reads the events for the first time before the user is forgotten, and goes on after that."""

        def __init__(self) -> None:
            super().__init__()
            self.reading, self.forgotten = threading.Event(), threading.Event()

        def events(self) -> Iterator[Event]:
            events = list(super().events())
            if not self.reading.is_set():
                self.reading.set()
                self.forgotten.wait(0.5)
            return iter(events)

    store, corpus = Slow(), MemoryStore(1000)
    derives = Deriving(store, corpus.judgements, thread, 1000)
    store.add([thumb("e1")])

    async def run() -> None:
        earlier = asyncio.create_task(derives.derive())
        await until(store.reading.is_set)
        store.forget("u1")
        await derives.derive()
        store.forgotten.set()
        await earlier

    asyncio.run(run())
    assert of_feedback(corpus) == []


def test_it_derives_after_a_change_alone_and_tries_again_after_a_failure(
    thread: WritingThread, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(MemoryFeedbackStore):
        reads = 0

        def events(self) -> Iterator[Event]:
            self.reads += 1
            if self.reads == 1:
                raise StorageFailed("the disk has failed: look at it")
            if self.reads == 2:
                raise MemoryError
            return super().events()

    monkeypatch.setattr(deriving, "_EVERY", 0.01)
    store, corpus = Failing(), MemoryStore(1000)
    derives = Deriving(store, corpus.judgements, thread, 1000)

    async def run() -> None:
        running = asyncio.create_task(derives.run())
        await until(lambda: store.reads == 3)
        await asyncio.sleep(0.2)
        assert store.reads == 3
        store.add([thumb("e1")])
        derives.note_change()
        await until(lambda: bool(of_feedback(corpus)))
        running.cancel()

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    assert "the disk has failed" in caplog.text
    assert "MemoryError" in caplog.text
