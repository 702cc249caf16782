"""Indexes are built one at a time, those of generations first, and only what takes writes is sealed."""

import asyncio
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from service.errors import InsufficientResources, StorageFailed
from service.generations.builds import Builds
from service.generations.loaded import LoadedGenerations
from service.index.base import GivenUp, IsGivenUp, Publish
from service.machine.writer import WritingThread
from service.observability.observer import Unobserved


@dataclass(eq=False)
class Index:
    """An index whose sealing goes on until it is `finished` or given up."""

    fingerprint: str
    ended: list[str] = field(default_factory=list)
    began: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)
    questions: tuple[Any, ...] = ()

    def maintain(self, *questions: Any) -> list[Any]:
        self.questions = questions
        return [self._seal]

    def rest(self) -> list[Any]:
        return [lambda given_up: self._work("at rest", given_up)]

    def build(self, given_up: IsGivenUp) -> Publish:
        return self._work("built", given_up)

    def _seal(self, given_up: IsGivenUp) -> Publish:
        self.began.set()
        while not self.finished.wait(0.001):
            if given_up():
                self.ended.append("given up")
                raise GivenUp
        return self._work("sealed", given_up)

    def _work(self, what: str, given_up: IsGivenUp) -> Publish:
        assert not given_up()
        return lambda: self.ended.append(what)


class Words:
    """An index of words that needs no maintenance."""

    def maintain(self) -> list[Any]:
        return []


WORDS: Any = Words()


class Questions:
    """Makes questions that only say which encoder embeds them."""

    def by(self, encoder: Any) -> Any:
        return f"by {encoder}"


@dataclass(eq=False)
class Answering:
    """The part of a generation, and of the encoding, that is looked at here."""

    index: Any = None
    encoder: str = "the encoder"
    answering: bool = True


def _builds(active: Index, retained: tuple[Index, ...] = ()) -> tuple[Builds, WritingThread]:
    thread = WritingThread()
    answering: Any = Answering(active)
    former: Any = tuple(map(Answering, retained))
    generations = LoadedGenerations(active=answering, retained=former)
    encoding: Any = Answering()
    questions: Any = Questions()
    return Builds(generations, encoding, questions, thread, Unobserved()), thread


def test_a_sealing_gives_up_for_a_generation_and_is_done_afterwards() -> None:
    index = Index("one")
    builds, thread = _builds(index)

    async def run() -> None:
        sealing = asyncio.create_task(builds.seal(WORDS))
        await asyncio.to_thread(index.began.wait, 10)
        publish = await builds.run(index.build)
        assert index.ended == ["given up"]
        publish()
        await sealing
        index.finished.set()
        await builds.seal(WORDS)

    asyncio.run(run())
    thread.close()
    assert index.ended == ["given up", "built", "sealed"]


def test_words_alone_are_sealed_while_a_generation_is_built() -> None:
    index = Index("one")
    index.finished.set()
    builds, thread = _builds(index)
    words: Any = Index("words")
    words.finished.set()
    building, go_on = threading.Event(), threading.Event()

    def build(given_up: IsGivenUp) -> Publish:
        building.set()
        assert go_on.wait(10)
        return index.build(given_up)

    async def run() -> None:
        generation = asyncio.create_task(builds.run(build))
        await asyncio.to_thread(building.wait, 10)
        await builds.seal(words)
        assert (index.ended, words.ended) == ([], ["sealed"])
        go_on.set()
        (await generation)()

    asyncio.run(run())
    thread.close()
    assert index.ended == ["built"]


def test_a_retained_index_takes_no_writes_and_rests() -> None:
    active, retained = Index("one"), Index("two")
    active.finished.set()
    retained.finished.set()
    builds, thread = _builds(active, (retained,))
    asyncio.run(builds.seal(WORDS))
    thread.close()
    assert (active.ended, retained.ended) == (["sealed"], ["at rest"])


@pytest.mark.parametrize("error", [MemoryError, InsufficientResources, StorageFailed])
def test_an_index_that_fails_does_not_end_the_upkeep_of_others(
    error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    active, retained, words = Index("one"), Index("two"), Index("words")
    builds, thread = _builds(active, (retained,))

    def fail(given_up: IsGivenUp) -> Publish:
        raise error(f"there is no room, and {given_up} does not matter")

    for failing in (active, words):
        failing.maintain = lambda *_: [fail]  # type: ignore[method-assign]
    keywords: Any = words
    with caplog.at_level("WARNING"):
        asyncio.run(builds.seal(keywords))
    thread.close()
    assert retained.ended == ["at rest"]
    assert caplog.text.count("which is tried again in 60 seconds: there is no room") == 2


def test_an_index_that_failed_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    active, words = Index("one"), Index("words")
    words.finished.set()
    builds, thread = _builds(active)
    tried: list[str] = []

    def fail(_: IsGivenUp) -> Publish:
        tried.append("the index")
        raise StorageFailed("the disk is full")

    active.maintain = lambda *_: [fail]  # type: ignore[method-assign]
    keywords: Any = words

    async def seal_twice() -> None:
        for _ in range(2):
            await builds.seal(keywords)

    asyncio.run(seal_twice())
    assert tried == ["the index"]
    assert words.ended == ["sealed", "sealed"]
    builds._paused.clear()
    monkeypatch.setattr("service.generations.builds._AGAIN", 0)
    asyncio.run(seal_twice())
    thread.close()
    assert len(tried) == 3


def test_words_are_sealed_again_while_the_sealing_of_vectors_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.generations.builds._WORDS_EVERY", 0.01)
    active = Index("one")
    builds, thread = _builds(active)
    words: Any = Index("words")
    words.finished.set()

    def maintain() -> list[Any]:
        if len(words.ended) == 2:
            active.finished.set()
        return [words._seal]

    words.maintain = maintain
    asyncio.run(asyncio.wait_for(builds.seal(words), 10))
    thread.close()
    assert active.ended == ["sealed"]


def test_words_that_failed_are_tried_again_while_the_sealing_of_vectors_takes_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("service.generations.builds._WORDS_EVERY", 0.01)
    monkeypatch.setattr("service.generations.builds._AGAIN", 0.05)
    active = Index("one")
    builds, thread = _builds(active)
    words = Index("words")
    tried: list[float] = []

    def fail_once(given_up: IsGivenUp) -> Publish:
        tried.append(time.monotonic())
        if len(tried) == 1:
            raise StorageFailed("the disk is full")
        active.finished.set()
        return words._work("sealed", given_up)

    words.maintain = lambda *_: [fail_once]  # type: ignore[method-assign]
    keywords: Any = words
    asyncio.run(asyncio.wait_for(builds.seal(keywords), 10))
    thread.close()
    assert words.ended == ["sealed"] * (len(tried) - 1)
    assert active.ended == ["sealed"]
    # Not before the end of its pause.
    assert tried[1] - tried[0] >= 0.05


def test_words_are_sealed_with_the_index() -> None:
    active = Index("one")
    active.finished.set()
    builds, thread = _builds(active)
    words: Any = Index("words")
    words.finished.set()
    asyncio.run(builds.seal(words))
    thread.close()
    assert (active.ended, words.ended) == (["sealed"], ["sealed"])
    assert (active.questions, words.questions) == (("by the encoder",), ())
