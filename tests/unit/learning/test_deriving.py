"""Judgements follow from events once they are derived, and go with the user they came from."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from service.corpus.judgements import Judgement, JudgementFilter
from service.corpus.memory.store import MemoryStore
from service.errors import StorageFailed
from service.learning import deriving
from service.learning.base import Derived, Event
from service.learning.derivation import Derivation, heaviest
from service.learning.derivations import OwnDerivations
from service.learning.deriving import Deriving, difference
from service.learning.memory import MemoryFeedbackStore
from service.machine.children import ChildLost, Children, InThisProcess, Limits, Say, Work
from service.machine.writer import WritingThread


@pytest.fixture
def thread() -> Iterator[WritingThread]:
    thread = WritingThread()
    yield thread
    thread.close()


def deriving_from(
    store: MemoryFeedbackStore,
    corpus: MemoryStore,
    thread: WritingThread,
    children: Children | None = None,
    most: int = 1000,
) -> Deriving:
    judgements = corpus.judgements
    return Deriving(
        Derivation(store, most), OwnDerivations(judgements), children or InThisProcess(), judgements, thread
    )


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
    derives = deriving_from(store, corpus, thread)
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

    monkeypatch.setattr(deriving, "_LEAST_SECONDS", 0.01)
    monkeypatch.setattr(deriving, "_MOST_SECONDS", 0.01)
    store, corpus = Failing(), MemoryStore(1000)
    derives = deriving_from(store, corpus, thread)

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
    assert "the memory is used up" in caplog.text


def test_the_heaviest_are_derived_and_none_that_no_page_could_list() -> None:
    derived = [Derived("a", "q", f"d{n}", True, (n + 1) / 8, "click") for n in range(4)]
    unusable = Derived("a", "q\0", "d0", True, 1.0, "click")
    assert heaviest([unusable, *derived], 3) == derived[:0:-1]


def test_only_what_differs_is_written() -> None:
    def judgement(document: str, weight: float) -> Judgement:
        return Judgement(query="q", document=document, good=True, source="click", weight=weight)

    former = [judgement("a", 0.5), judgement("b", 0.5), judgement("c", 0.5)]
    now = [judgement("b", 0.5), judgement("c", 0.25), judgement("d", 0.5)]
    assert difference(former, now) == ([former[0].key], now[1:])


def test_what_a_person_said_stays_and_many_are_kept_in_portions(
    thread: WritingThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deriving, "_PORTION", 3)
    store, corpus = MemoryFeedbackStore(), MemoryStore(10)
    corpus.judgements.add([Judgement(query="a question", document="d1", good=False, source="person", by="ann")])
    derives = deriving_from(store, corpus, thread, most=10)
    for round_ in range(3):
        events = [replace(thumb(f"{round_}-{n}"), documents=(f"{round_}-{n}",)) for n in range(10)]
        store.add(events)
        asyncio.run(derives.derive())
        assert len(of_feedback(corpus)) == 10
    assert len(corpus.judgements.all()) == 11


def test_a_later_derivation_is_not_replaced_by_one_that_began_before(thread: WritingThread) -> None:
    class Slow(InThisProcess):
        """Holds the first work back when it has read everything, until the second has ended."""

        def __init__(self) -> None:
            self.first, self.second = threading.Event(), threading.Event()

        def run(self, work: Work, limits: Limits, on_line: Say) -> None:
            if self.first.is_set():
                super().run(work, limits, on_line)
                return
            lines: list[str] = []
            super().run(work, limits, lines.append)
            self.first.set()
            self.second.wait(10)
            for line in lines:
                on_line(line)

    store, corpus, children = MemoryFeedbackStore(), MemoryStore(1000), Slow()
    derives = deriving_from(store, corpus, thread, children)

    async def forget_meanwhile() -> None:
        store.add([thumb("e1")])
        began = asyncio.create_task(derives.derive())
        await until(children.first.is_set)
        store.forget("u1")
        await derives.derive()
        children.second.set()
        await began

    asyncio.run(forget_meanwhile())
    assert of_feedback(corpus) == []


class Lost(InThisProcess):
    """Children that the kernel ends."""

    def run(self, work: Work, limits: Limits, on_line: Say) -> None:  # noqa: ARG002
        raise ChildLost("it was killed, as the kernel does when memory runs out", "memory")


def test_a_child_that_is_lost_is_said_and_changes_nothing(thread: WritingThread) -> None:
    store, corpus = MemoryFeedbackStore(), MemoryStore(1000)
    store.add([thumb("e1")])
    asyncio.run(deriving_from(store, corpus, thread).derive())
    lost = deriving_from(store, corpus, thread, Lost())
    with pytest.raises(StorageFailed, match="judgements could not be derived: it was killed"):
        asyncio.run(lost.derive())
    assert of_feedback(corpus) == [("d1", True)]
