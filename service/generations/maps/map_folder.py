"""Maps on the disk: one for each generation that has been drawn, checked when it is read."""

import json
import logging
from collections.abc import Set
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.corpus.base import Seqs
from service.generations.generation import Generation
from service.machine import files
from service.machine.arrays import Vectors
from service.machine.cache import Cache, CacheVersion

log = logging.getLogger(__name__)

_FORMAT = 1
_ABOUT = "about.json"
_NAME = "generation-"


@dataclass(frozen=True, slots=True)
class About:
    """The circumstances of a map.

    `documents` counts all documents of that time and `last_seq` is the number of the last write. The map began at the
    positions of generation `begun_from`; None: it began by itself.
    """

    at: datetime
    seconds: float
    documents: int
    last_seq: int
    begun_from: int | None


@dataclass(frozen=True, slots=True, eq=False)
class PlacedQuestions:
    """Questions on a map: the hash of each (q, 16), its position (q, 2), and its nearest documents (q, k), best first.

    Rows of `nearest` that are shorter end with 0. No text is kept, so nothing outlives the judgements here.
    """

    hashes: NDArray[np.uint8]
    positions: Vectors
    nearest: Seqs


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """Documents (n,), ascending, at their positions (n, 2), and questions among them."""

    seqs: Seqs
    positions: Vectors
    questions: PlacedQuestions
    about: About


class MapFolder:
    """The maps in `folder`. Making the object touches no file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def _cache(self) -> Cache:
        return Cache(self._folder)

    def incoming(self) -> AbstractContextManager[Path]:
        """Return a folder for what a drawing needs; it is deleted at the end of the block."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return files.new_folder(self._folder)

    def read(self, generation: Generation) -> Map | None:
        """Return the map of the generation; None if it has none, or one that is damaged."""
        path = None
        if (self._folder / _name(generation.number)).exists():
            path = self._cache.find(_name(generation.number), _version(generation))
        if path is None:
            return None
        try:
            about = json.loads((path / _ABOUT).read_text(encoding="utf-8"))
            questions = PlacedQuestions(_load(path, "hashes"), _load(path, "places"), _load(path, "nearest"))
            about = About(**(about | {"at": datetime.fromisoformat(about["at"])}))
            return Map(_load(path, "seqs"), _load(path, "positions"), questions, about)
        except (OSError, ValueError, KeyError, TypeError) as error:
            # It may have been replaced at this moment.
            log.warning("%s cannot be read (%s): draw the map of the generation again", path, error)
            return None

    def write(self, generation: Generation, drawn: Map) -> bool:
        """Replace the map of the generation; false, with a warning in the log, if the disk fails."""

        def fill(folder: Path) -> None:
            questions = drawn.questions
            arrays: dict[str, NDArray[Any]] = {
                "seqs": drawn.seqs,
                "positions": drawn.positions,
                "hashes": questions.hashes,
                "places": questions.positions,
                "nearest": questions.nearest,
            }
            for name, array in arrays.items():
                np.save(folder / f"{name}.npy", array)
            about = {
                "at": drawn.about.at.isoformat(),
                "seconds": drawn.about.seconds,
                "documents": drawn.about.documents,
                "last_seq": drawn.about.last_seq,
                "begun_from": drawn.about.begun_from,
            }
            (folder / _ABOUT).write_text(json.dumps(about), encoding="utf-8")

        return self._cache.keep(_name(generation.number), _version(generation), fill) is not None

    def sweep(self, keep: Set[int]) -> None:
        """Delete the maps of all generations but those with the numbers `keep`."""
        if self._folder.exists():
            for name in self._cache.names():
                if name not in {_name(number) for number in keep}:
                    self._cache.forget(name)

    def forget(self, number: int) -> None:
        """Delete the map of a generation, if it has one."""
        if (self._folder / _name(number)).exists():
            self._cache.forget(_name(number))

    def sweep_leftovers(self) -> None:
        """Delete what a process has left that ended in the middle of a drawing. None may be under way."""
        files.sweep(self._folder)


def _name(number: int) -> str:
    return f"{_NAME}{number}"


def _version(generation: Generation) -> CacheVersion:
    # A generation that was withdrawn from the shadow leaves its number to the next one.
    return {"format": _FORMAT, "model": generation.model, "fingerprint": generation.index.fingerprint}


def _load(folder: Path, name: str) -> NDArray[Any]:
    array: NDArray[Any] = np.load(folder / f"{name}.npy", allow_pickle=False)
    return array
