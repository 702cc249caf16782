"""Maps of generations: drawn one at a time, at the lowest priority, and kept until the generation is released."""

import asyncio
import logging
import time
from contextvars import Context
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import Literal

import numpy as np

from service.corpus.base import Documents
from service.errors import InstarError
from service.generations.generation import Generation
from service.generations.generations import Generations
from service.generations.maps.errors import library_missing, map_under_way, nothing_to_draw
from service.generations.maps.map_folder import About, Map, MapFolder
from service.generations.maps.material import MOST, Material, former_positions, gather
from service.generations.maps.placing import Question, Questions, place
from service.generations.maps.projection import FORMER, POSITIONS, VECTORS, Neighbours, Projection
from service.machine.arrays import Vectors
from service.machine.children import ChildLost, Children, GivenUp, Limits
from service.machine.resources import Headroom
from service.machine.threads import run_to_completion
from service.models.encoding import Encoding

log = logging.getLogger(__name__)

Stage = Literal["vectors", "neighbours", "positions", "questions"]
_LIBRARY = "openTSNE"
# Bytes of a child: the vectors, a copy of them in the search for neighbours, and what it needs for each document.
_COPIES, _BESIDE, _AT_LEAST = 3, 4000, 384 << 20
# Seconds after which a drawing is given up.
_SECONDS = 4 * 3600.0
# Seconds between two looks for maps of generations that are released.
_SWEEP_EVERY = 60.0


@dataclass
class Drawing:
    """A map that is being drawn, or whose drawing failed, with the `reason`. `done` of `total` steps of a stage are
    done; 0 of 0: they are not counted."""

    generation: int
    stage: Stage = "vectors"
    done: int = 0
    total: int = 0
    reason: str | None = None


@dataclass(frozen=True)
class Projecting:
    """The means of projection: child processes, the search for neighbours, and the memory and disk that stay free."""

    children: Children
    neighbours: Neighbours
    headroom: Headroom


class Maps:
    """Draws, reads and deletes maps. Everything but `run` and `stop` needs loaded generations."""

    def __init__(
        self,
        folder: MapFolder,
        generations: Generations,
        documents: Documents,
        encoding: Encoding,
        projecting: Projecting,
        questions: Questions,
    ) -> None:
        self._folder = folder
        self._generations = generations
        self._documents = documents
        self._encoding = encoding
        self._projecting = projecting
        self._questions = questions
        self._task: asyncio.Task[None] | None = None
        self._drawing: Drawing | None = None

    @property
    def available(self) -> bool:
        """Whether the library that computes maps is installed. It is not loaded for that."""
        return find_spec(_LIBRARY) is not None

    @property
    def under_way(self) -> Drawing | None:
        """The map that is being drawn."""
        return self._drawing if self._task is not None and not self._task.done() else None

    @property
    def failed(self) -> Drawing | None:
        """The last drawing, if it failed."""
        return self._drawing if self._drawing is not None and self._drawing.reason is not None else None

    def read(self, generation: Generation) -> Map | None:
        """Return the map of a generation; None if there is none. It reads the disk: call it on a thread."""
        return self._folder.read(generation)

    def questions(self, generation: Generation) -> list[Question]:
        """Return the questions to show on the map of a generation. It reads the corpus: call it on a thread."""
        return list(self._questions(generation))

    async def draw(self, generation: Generation) -> None:
        """Begin to draw the map of a generation.

        Raises Conflict if a map is being drawn, if there is nothing to draw or if openTSNE is not installed, and
        InsufficientResources if the memory or the disk do not suffice.
        """
        if self.under_way is not None:
            raise map_under_way(self.under_way.generation)
        if not self.available:
            raise library_missing()
        documents = min(generation.index.stats().documents, MOST)
        if not documents:
            raise nothing_to_draw(generation.number)
        self._projecting.headroom.require_memory(_memory(documents, generation))
        self._projecting.headroom.require_disk(2 * _vectors(documents, generation))
        self._drawing = drawing = Drawing(generation.number)
        # An empty context, because no key is charged for the tokens of a map's questions.
        work = self._run(generation, drawing)
        self._task = asyncio.create_task(work, name="instar-map", context=Context())

    async def forget(self, number: int) -> None:
        """Stop drawing the map of a generation, and delete the one that it has."""
        if self.under_way is not None and self.under_way.generation == number:
            await self.stop()
        if self._drawing is not None and self._drawing.generation == number:
            self._drawing = None
        await asyncio.to_thread(self._folder.forget, number)

    async def run(self) -> None:
        """Delete the maps of generations that are released, until cancelled. It begins when generations are loaded."""
        await asyncio.to_thread(self._folder.sweep_leftovers)
        while True:
            try:
                shown = {generation.number for generation, _ in self._generations.searchable()}
                # One that a start has left out is loaded again later.
                records = await asyncio.to_thread(self._generations.unreleased)
                await asyncio.to_thread(self._folder.sweep, shown | {record.number for record in records})
            except (InstarError, OSError) as error:
                log.warning("maps of released generations are deleted later: %s", error)
            await asyncio.sleep(_SWEEP_EVERY)

    async def stop(self) -> None:
        """Give up what is being drawn."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self, generation: Generation, drawing: Drawing) -> None:
        began = time.monotonic()
        try:
            await self._draw(generation, drawing, began)
        except (InstarError, ChildLost) as error:
            drawing.reason = error.message if isinstance(error, InstarError) else f"its computation was lost: {error}"
        except OSError as error:
            drawing.reason = f"the disk failed ({error}): check it, then draw the map again"
        if drawing.reason is not None:
            log.warning("the map of generation %d could not be drawn: %s", generation.number, drawing.reason)
        else:
            seconds = time.monotonic() - began
            log.info("the map of generation %d is drawn, after %.1f seconds", generation.number, seconds)

    async def _draw(self, generation: Generation, drawing: Drawing, began: float) -> None:
        last_seq = await asyncio.to_thread(self._documents.last_seq)
        earlier = await asyncio.to_thread(self._earlier, generation)
        with self._folder.incoming() as folder:
            given_up = Event()
            work = partial(self._project, generation, earlier, folder, drawing, given_up)
            material, positions = await run_to_completion(work, given_up=given_up)
        drawing.stage, drawing.done, drawing.total = "questions", 0, 0
        questions = await asyncio.to_thread(self.questions, generation)
        placed = await place(questions, generation, self._encoding, material.seqs, positions)
        about = About(
            at=datetime.now(UTC),
            seconds=time.monotonic() - began,
            documents=material.documents,
            last_seq=last_seq,
            begun_from=None if earlier is None else earlier[0],
        )
        drawn = Map(material.seqs, positions, placed, about)
        if not await run_to_completion(partial(self._folder.write, generation, drawn)):
            drawing.reason = "the disk failed: the log says how; check it, then draw the map again"

    def _project(
        self,
        generation: Generation,
        earlier: tuple[int, Map] | None,
        folder: Path,
        drawing: Drawing,
        given_up: Event,
    ) -> tuple[Material, Vectors]:
        """Compute the positions of documents in a child. Raises ChildLost, GivenUp, and what the disk raises."""

        def note(stage: Stage, done: int, total: int) -> None:
            drawing.stage, drawing.done, drawing.total = stage, done, total
            if given_up.is_set():
                raise GivenUp

        def note_line(line: str) -> None:
            stage, done, total = line.split()
            note("positions" if stage == "positions" else "neighbours", int(done), int(total))

        live = self._documents.live()
        index = generation.index
        material = gather(live, index.store, index.dimensions, folder / VECTORS, partial(note, "vectors"))
        if not len(material.seqs):
            raise nothing_to_draw(generation.number)
        if earlier is not None:
            former = former_positions(material.seqs, earlier[1].seqs, earlier[1].positions)
            if former is not None:
                np.save(folder / FORMER, former)
        limits = Limits(_memory(len(material.seqs), generation), _SECONDS, idle=True, given_up=given_up.is_set)
        self._projecting.children.run(Projection(folder, self._projecting.neighbours), limits, note_line)
        return material, np.load(folder / POSITIONS).astype(np.float32)

    def _earlier(self, generation: Generation) -> tuple[int, Map] | None:
        """Return the map at whose positions this one begins: that of another generation, if there is one, which is the
        last one before it if possible; else the former one of its own."""
        loaded = [loaded for loaded, _ in self._generations.searchable()]
        number = generation.number
        for other in sorted(loaded, key=lambda other: (other.number == number, other.number > number, -other.number)):
            if (drawn := self._folder.read(other)) is not None:
                return other.number, drawn
        return None


def _vectors(documents: int, generation: Generation) -> int:
    return documents * generation.index.dimensions * 4


def _memory(documents: int, generation: Generation) -> int:
    """The bytes of memory that a child may take."""
    return _COPIES * _vectors(documents, generation) + documents * _BESIDE + _AT_LEAST
