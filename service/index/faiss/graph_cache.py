"""A disk cache for sealed parts with a graph: building one takes minutes, verifying it seconds.

The vectors in full stay on the disk. They are read where they lie, by the last comparison of a search.
"""

import json
import logging
from dataclasses import replace
from functools import partial
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from service.index.faiss import graph as graphs
from service.index.faiss import memory
from service.index.faiss.duplicates import Duplicates
from service.index.faiss.graph import Graph
from service.index.faiss.sealed import Sealed
from service.machine import spilled
from service.machine.arrays import Empty, Vectors
from service.machine.cache import Cache, CacheVersion, Content

log = logging.getLogger(__name__)

_GRAPH = "graph.faiss"
_VECTORS = "vectors.f32"
_ROWS = "rows.npy"
_SEQS = "seqs.npy"
_SPANS = "spans.npy"
_OF = "of.npy"
_ABOUT = "about.json"


class GraphCache:
    """The graph that was built last, for each document fingerprint and collection."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cache = Cache(folder)
        self._cache.sweep()
        # Arrays of which a sealed part is made, in a file that the system may drop from memory.
        self.empty: Empty = partial(spilled.empty, folder)

    def get(self, fingerprint: str, collection: str, dimensions: int, min_recall: float) -> Sealed | None:
        """Return the cached sealed part, or None unless it is whole and was tuned to that recall.

        Its graph stays on the disk, and is mapped into memory.
        """
        name = _name(fingerprint, collection)
        for coded in (True, False):
            for windowed in (False, True):
                make = _make(fingerprint, collection, dimensions, min_recall, coded=coded, windowed=windowed)
                files = self._cache.map(name, make)
                if files is not None:
                    read = _read(name, files, dimensions)
                    if read is None or coded:
                        return read
                    log.info("%s is of a former version: its vectors are walked in 8 bits from now on", name)
                    return self.keep(fingerprint, collection, read, min_recall)
        return None

    def keep(self, fingerprint: str, collection: str, built: Sealed, min_recall: float) -> Sealed:
        """Put `built` in place of the former one, and return it with its vectors on the disk.

        If the disk fails, log a warning and keep nothing. Then, and if it has no graph, it is returned as it is.
        """
        graph = built.graph
        if graph is None:
            return built

        def write(folder: Path) -> None:
            faiss.write_index(graph.index, str(folder / _GRAPH))
            np.save(folder / _ROWS, graph.row_of)
            # Vectors have a file of their own, so that they can be read where they lie.
            built.distinct_vectors.tofile(folder / _VECTORS)
            np.save(folder / _SEQS, built.seqs)
            if built.windowed:
                np.save(folder / _SPANS, built.spans)
            if built.duplicates is not None:
                np.save(folder / _OF, built.duplicates.group_of)
            about = {
                "effort": graph.effort,
                "built_effort": graph.built_effort,
                "recall": built.recall,
                "margin": graph.margin,
                "highest": int(built.seqs[-1]),
                "distinct": built.duplicates is not None,
            }
            (folder / _ABOUT).write_text(json.dumps(about), encoding="utf-8")

        make = _make(fingerprint, collection, built.exact.d, min_recall, coded=True, windowed=built.windowed)
        folder = self._cache.keep(_name(fingerprint, collection), make, write)
        if folder is None:
            return built
        vectors = _vectors(np.memmap(folder / _VECTORS, np.uint8, "r"), built.exact.d)
        return replace(built, exact=memory.exact_index(vectors))

    def former(self, fingerprint: str, collection: str, dimensions: int, min_recall: float) -> Sealed | None:
        """Return the sealed part of the collection that was kept last under another fingerprint; None without any."""
        others = {name.partition("-")[0] for name in self._cache.names()} - {fingerprint}
        times = {other: self._kept_at(_name(other, collection)) for other in others}
        kept = sorted((other for other in others if times[other]), key=lambda other: -times[other])
        parts = (self.get(other, collection, dimensions, min_recall) for other in kept)
        return next((part for part in parts if part is not None), None)

    def highest(self) -> int:
        """Return the highest sequence number of a document in any graph, 0 without any."""
        return max((self._highest(name) for name in self._cache.names()), default=0)

    def forget(self, fingerprints: set[str]) -> None:
        """Delete the graphs of all other fingerprints."""
        for name in self._cache.names():
            if name.partition("-")[0] not in fingerprints:
                self._cache.forget(name)

    def _kept_at(self, name: str) -> int:
        """The time in ns of an entry; 0 without it. Another thread may delete or replace it at any moment."""
        try:
            return (self._folder / name).stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def _highest(self, name: str) -> int:
        try:
            return int(json.loads((self._folder / name / _ABOUT).read_text(encoding="utf-8"))["highest"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s cannot be read (%s): it is made anew", name, error)
            return 0


def _name(fingerprint: str, collection: str) -> str:
    return f"{fingerprint}-{sha256(collection.encode()).hexdigest()[:16]}"


def _read(name: str, files: dict[str, Content], dimensions: int) -> Sealed | None:
    try:
        about = json.loads(files[_ABOUT].tobytes())
        vectors = _vectors(files[_VECTORS], dimensions)
        index = memory.read_graph(files[_GRAPH])
        # A former version makes all links anew, or adds to them.
        built_effort = about.get("built_effort", about["effort"])
        if _ROWS in files:
            graph = Graph(index, _array(files[_ROWS]), about["margin"], about["effort"], built_effort)
        else:
            # A former version, whose graph is in the order of its vectors and has none of its own.
            graph = replace(
                graphs.compact(index, vectors, np.arange(len(vectors))),
                effort=about["effort"],
                built_effort=built_effort,
            )
        file = files[_GRAPH] if _ROWS in files else None
        duplicates = Duplicates.from_groups(_array(files[_OF])) if about["distinct"] else None
        seqs = _array(files[_SEQS])
        spans = _array(files[_SPANS]) if _SPANS in files else np.zeros((len(seqs), 2), np.int32)
        return Sealed(seqs, spans, memory.exact_index(vectors), about["recall"], graph, duplicates, file)
    # FAISS raises RuntimeError when it cannot read.
    except (ValueError, RuntimeError, KeyError) as error:
        log.warning("%s cannot be read (%s): it is built anew", name, error)
        return None


def _vectors(content: Content, dimensions: int) -> Vectors:
    vectors: Vectors = np.asarray(content).view(np.float32).reshape(-1, dimensions)
    return vectors


def _array(content: Content) -> NDArray[Any]:
    """Read an array that NumPy saved."""
    array: NDArray[Any] = np.load(BytesIO(content.tobytes()))
    return array


def _make(
    fingerprint: str, collection: str, dimensions: int, min_recall: float, *, coded: bool, windowed: bool
) -> CacheVersion:
    return {
        "fingerprint": fingerprint,
        "collection": collection,
        "dimensions": dimensions,
        "min_recall": min_recall,
        "faiss": faiss.__version__,
        # Former versions know no vectors of 8 bits.
        **({"coded": 1} if coded else {}),
        # Before that, they knew no windows, and would take each for a document.
        **({"windowed": 1} if windowed else {}),
    }
