"""A disk cache for sealed parts with a graph: building one takes minutes, verifying it seconds."""

import json
import logging
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from service.index.faiss import memory
from service.index.faiss.duplicates import Duplicates
from service.index.faiss.sealed import Sealed
from service.machine.cache import Cache, CacheVersion, Content

log = logging.getLogger(__name__)

_GRAPH = "graph.faiss"
_VECTORS = "vectors.f32"
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

    def get(self, fingerprint: str, collection: str, dimensions: int, min_recall: float) -> Sealed | None:
        """Return the cached sealed part, or None unless it is whole and was tuned to that recall.

        Its graph stays on the disk, and is mapped into memory.
        """
        name = _name(fingerprint, collection)
        for windowed in (False, True):
            files = self._cache.map(name, _make(fingerprint, collection, dimensions, min_recall, windowed=windowed))
            if files is not None:
                return _read(name, files, dimensions)
        return None

    def keep(self, fingerprint: str, collection: str, built: Sealed, min_recall: float) -> None:
        """Put `built` in place of the former one. If the disk fails, log a warning and keep nothing."""

        def write(folder: Path) -> None:
            # Vectors have a file of their own, so that they begin on a page, as a search wants it.
            faiss.write_index(built.index, str(folder / _GRAPH), faiss.IO_FLAG_SKIP_STORAGE)
            built.distinct_vectors.tofile(folder / _VECTORS)
            np.save(folder / _SEQS, built.seqs)
            if built.windowed:
                np.save(folder / _SPANS, built.spans)
            if built.duplicates is not None:
                np.save(folder / _OF, built.duplicates.group_of)
            about = {
                "effort": built.effort,
                "recall": built.recall,
                "highest": int(built.seqs[-1]),
                "distinct": built.duplicates is not None,
            }
            (folder / _ABOUT).write_text(json.dumps(about), encoding="utf-8")

        make = _make(fingerprint, collection, built.index.d, min_recall, windowed=built.windowed)
        self._cache.keep(_name(fingerprint, collection), make, write)

    def highest(self) -> int:
        """Return the highest sequence number of a document in any graph, 0 without any."""
        return max((self._highest(name) for name in self._cache.names()), default=0)

    def forget(self, fingerprints: set[str]) -> None:
        """Delete the graphs of all other fingerprints."""
        for name in self._cache.names():
            if name.partition("-")[0] not in fingerprints:
                self._cache.forget(name)

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
        vectors = np.asarray(files[_VECTORS]).view(np.float32).reshape(-1, dimensions)
        graph = memory.read_graph(files[_GRAPH], vectors)
        duplicates = Duplicates.from_groups(_array(files[_OF])) if about["distinct"] else None
        seqs = _array(files[_SEQS])
        spans = _array(files[_SPANS]) if _SPANS in files else np.zeros((len(seqs), 2), np.int32)
        return Sealed(seqs, spans, graph, about["effort"], about["recall"], duplicates, files[_GRAPH])
    # FAISS raises RuntimeError when it cannot read.
    except (ValueError, RuntimeError, KeyError) as error:
        log.warning("%s cannot be read (%s): it is built anew", name, error)
        return None


def _array(content: Content) -> NDArray[Any]:
    """Read an array that NumPy saved."""
    array: NDArray[Any] = np.load(BytesIO(content.tobytes()))
    return array


def _make(fingerprint: str, collection: str, dimensions: int, min_recall: float, *, windowed: bool) -> CacheVersion:
    return {
        "fingerprint": fingerprint,
        "collection": collection,
        "dimensions": dimensions,
        "min_recall": min_recall,
        "faiss": faiss.__version__,
        # Former versions know no windows, and would take each for a document.
        **({"windowed": 1} if windowed else {}),
    }
