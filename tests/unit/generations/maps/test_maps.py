"""Maps are drawn one at a time, begin at each other's positions, and are given up or refused with a reason."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from service.corpus.base import Document
from service.corpus.memory.documents import MemoryDocuments
from service.errors import Conflict, InsufficientResources
from service.generations.generation import Generation
from service.generations.generations import Generations
from service.generations.maps import maps as drawing
from service.generations.maps import placing
from service.generations.maps.map_folder import MapFolder
from service.generations.maps.maps import Maps, Projecting
from service.generations.maps.placing import Question
from service.index.base import View
from service.machine.arrays import Vectors, Windows
from service.machine.children import ChildLost, GivenUp, InThisProcess, Limits, Say, Work
from service.machine.resources import Headroom
from service.models.encoding import Encoding
from tests.unit.generations.maps.points import clusters, nearest

COUNT = 40


class Index:
    """Vectors of documents 1 to COUNT, whose nearest ones are found by comparing all."""

    dimensions = 24

    def __init__(self, seed: int) -> None:
        self.vectors, _ = clusters(COUNT, seed=seed)
        self.fingerprint = f"fingerprint {seed}"
        self.store = self

    def some(self, seqs: Sequence[int]) -> dict[int, Windows]:
        return {seq: Windows(self.vectors[seq - 1][None], np.zeros((1, 2), np.int32)) for seq in seqs if seq <= COUNT}

    def stats(self) -> Any:
        return SimpleNamespace(documents=len(self.vectors))

    def view(self, collection: str) -> View:
        assert collection == "default"
        return cast(View, self)

    def search(self, queries: Vectors, k: int, _: None) -> list[tuple[Any, Any]]:
        order = np.argsort(-(queries @ self.vectors.T), axis=1)[:, :k]
        return [(row + 1, queries[0, :1]) for row in order]


class House:
    """Maps of two generations with the same documents, drawn in this process."""

    def __init__(self, folder: Path, children: Any = None) -> None:
        self.documents = MemoryDocuments()
        texts = [Document(f"d{number}", "text", {}) for number in range(COUNT)]
        self.documents.put("default", texts, lambda _: None)
        self.folder = MapFolder(folder)
        self.generations = [self.generation(1), self.generation(2)]
        self.questions = [Question("a question", "default", np.array([7, 9]))]
        self.left_out: list[Generation] = []
        loaded = SimpleNamespace(
            searchable=lambda: [(generation, "active") for generation in self.generations],
            unreleased=lambda: [*self.generations, *self.left_out],
        )
        self.maps = Maps(
            self.folder,
            cast(Generations, loaded),
            self.documents,
            cast(Encoding, SimpleNamespace(embed=self._embed)),
            Projecting(children or InThisProcess(), nearest, Headroom(0, 0, folder)),
            lambda _: self.questions,
        )

    def generation(self, number: int) -> Generation:
        encoder = SimpleNamespace(checkpoint=SimpleNamespace(id=f"m@{number}"), dimensions=24)
        generation = SimpleNamespace(number=number, model=f"m@{number}", encoder=encoder, index=Index(seed=0))
        return cast(Generation, generation)

    async def _embed(self, _: object, texts: Sequence[str], *__: object, **___: object) -> Any:
        # A question like document 9.
        return np.repeat(cast(Any, self.generations[0].index).vectors[8][None], len(texts), axis=0)

    async def draw(self, number: int) -> None:
        await self.maps.draw(self.generations[number - 1])
        await until(lambda: self.maps.under_way is None)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; fails if it does not come to hold."""
    for _ in range(3000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not come to hold")


def test_a_map_has_every_document_and_the_questions_among_them(tmp_path: Path) -> None:
    house = House(tmp_path)
    asyncio.run(house.draw(1))
    drawn = house.maps.read(house.generations[0])
    assert drawn is not None
    assert drawn.seqs.tolist() == list(range(1, COUNT + 1))
    assert drawn.about.begun_from is None
    assert drawn.about.documents == COUNT
    (question,) = placing.shown(house.questions, drawn)
    assert question.first_good == 1
    near = drawn.positions[drawn.questions.nearest[0] - 1]
    assert question.position == pytest.approx(np.median(near, axis=0))
    # A judgement that is gone takes its question with it, and one that is new says something else of it.
    assert placing.shown([Question("a question", "other", np.array([9]))], drawn) == []
    for good in (np.array([99]), None):
        (question,) = placing.shown([Question("a question", "default", good)], drawn)
        assert question.first_good is None


def test_a_second_map_lies_on_the_first_one_and_the_other_way_round(tmp_path: Path) -> None:
    house = House(tmp_path)
    for number in (2, 1):
        asyncio.run(house.draw(number))
    later, earlier = (house.maps.read(generation) for generation in house.generations)
    assert earlier is not None
    assert later is not None
    assert later.about.begun_from == 2
    assert np.median(np.linalg.norm(later.positions - earlier.positions, axis=1)) < 0.2
    # Drawn once more, a map of a generation that is alone begins at its own positions.
    house.generations = house.generations[:1]
    asyncio.run(house.draw(1))
    again = house.maps.read(house.generations[0])
    assert again is not None
    assert again.about.begun_from == 1


def test_there_is_one_drawing_at_a_time_and_it_can_be_stopped(tmp_path: Path) -> None:
    class Waiting:
        """A child that ends when nobody waits for it."""

        ended = threading.Event()

        def run(self, _: Work, limits: Limits, on_line: Say) -> None:
            assert limits.idle
            on_line("positions 25 750")
            while not limits.given_up():
                time.sleep(0.01)
            self.ended.set()
            raise GivenUp

    async def stopped() -> None:
        first, second = house.generations
        await house.maps.draw(first)
        await until(lambda: house.maps.under_way is not None and house.maps.under_way.stage == "positions")
        assert house.maps.under_way is not None
        assert (house.maps.under_way.done, house.maps.under_way.total) == (25, 750)
        with pytest.raises(Conflict, match="generation 1 is being drawn"):
            await house.maps.draw(second)
        await house.maps.forget(2)
        assert house.maps.under_way is not None
        await house.maps.forget(1)
        assert Waiting.ended.is_set()
        assert house.maps.under_way is None
        assert house.maps.failed is None

    house = House(tmp_path, Waiting())
    asyncio.run(stopped())
    assert house.maps.read(house.generations[0]) is None
    assert list(tmp_path.iterdir()) == []


def test_a_child_that_is_lost_is_a_reason(tmp_path: Path) -> None:
    class Lost:
        def run(self, *_: object) -> None:
            raise ChildLost("it took more than 9 MiB of memory", "memory")

    house = House(tmp_path, Lost())
    asyncio.run(house.draw(1))
    assert house.maps.failed is not None
    assert "more than 9 MiB" in (house.maps.failed.reason or "")
    assert house.maps.read(house.generations[0]) is None


def test_what_cannot_be_drawn_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(drawing, "_LIBRARY", "no_such_library")
        assert not house.maps.available
        with pytest.raises(Conflict, match=r"pip install 'instar\[map\]'"):
            asyncio.run(house.maps.draw(house.generations[0]))
    empty = house.generation(3)
    cast(Any, empty.index).vectors = []
    with pytest.raises(Conflict, match="no documents"):
        asyncio.run(house.maps.draw(empty))
    narrow = Maps(
        house.folder,
        cast(Any, None),
        house.documents,
        cast(Any, None),
        Projecting(InThisProcess(), nearest, Headroom(1 << 60, 0, tmp_path)),
        lambda _: [],
    )
    with pytest.raises(InsufficientResources):
        asyncio.run(narrow.draw(house.generations[0]))


def test_maps_of_released_generations_are_deleted_and_of_one_that_a_start_left_out_are_not(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.generations.append(house.generation(3))
    for number in (1, 2, 3):
        asyncio.run(house.draw(number))
    released, kept, left_out = house.generations
    house.generations, house.left_out = [kept], [left_out]

    async def keep_house() -> None:
        task = asyncio.create_task(house.maps.run())
        await until(lambda: house.maps.read(released) is None)
        task.cancel()

    asyncio.run(keep_house())
    assert house.maps.read(kept) is not None
    assert house.maps.read(left_out) is not None
