"""The range of int8 is fixed by the first need, and outlives what it was made of."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.corpus.base import Document, GenerationRecord
from service.corpus.memory.store import MemoryStore
from service.errors import StorageFailed
from service.generations.calibration import Calibration
from service.generations.generation import Generation
from service.index.exact import ExactIndexes
from service.index.rows import whole
from service.index.vector_folder import VectorFolder
from service.machine.arrays import Vectors
from service.machine.writer import WritingThread
from service.models.base import Lane, ServedModel, Side
from service.models.quantisation import greatest
from tests.support.hashed import HashedModel


class DirectEncoding:
    """Embeds at once, on the calling thread, and counts the texts."""

    def __init__(self) -> None:
        self.texts = 0

    async def embed(
        self,
        encoder: ServedModel,
        texts: Sequence[str],
        side: Side,
        lane: Lane | None = None,  # noqa: ARG002
        *,
        patient: bool = False,  # noqa: ARG002
    ) -> Vectors:
        self.texts += len(texts)
        return encoder.finish(encoder.forward(encoder.prepare(texts, side), "whole"))


class Service:
    """A corpus, and as much of a service as calibrates."""

    def __init__(self, folder: Path) -> None:
        self.corpus = MemoryStore(10)
        self.thread = WritingThread()
        self.encoding: Any = DirectEncoding()
        self._indexes = ExactIndexes(VectorFolder(folder))
        self.calibration = self.restarted()

    def restarted(self) -> Calibration:
        return Calibration(self.corpus.records, self.corpus.documents, self.encoding, self.thread)

    def generation(self, name: str = "one") -> Generation:
        model: Any = HashedModel(name)
        fingerprint = model.checkpoint.fingerprint
        record = GenerationRecord(
            model=model.checkpoint.id, fingerprint=fingerprint, dimensions=model.dimensions, built=datetime.now(UTC)
        )
        return Generation(record, model, self._indexes.open(fingerprint, model.dimensions))

    def write(self, generation: Generation, vectors: Vectors) -> None:
        """Write a document of each vector."""
        documents = [Document(f"d{number}", f"text {number}", {}) for number in range(len(vectors))]
        change = self.corpus.documents.put("default", documents, lambda _: None)
        generation.index.store.put(whole(np.array(change.added, dtype=np.int64), vectors))


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


def unit_vectors(count: int) -> Vectors:
    vectors: Vectors = np.random.default_rng(3).normal(size=(count, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def range_of(calibration: Calibration, generation: Generation) -> float:
    async def ask() -> float:
        first, second = await asyncio.gather(calibration.range_end(generation), calibration.range_end(generation))
        assert first == second
        return first

    return asyncio.run(ask())


def test_the_range_is_that_of_the_corpus(service: Service) -> None:
    generation, vectors = service.generation(), unit_vectors(150)
    service.write(generation, vectors)
    assert range_of(service.calibration, generation) == greatest(vectors)
    assert not service.encoding.texts


def test_the_range_stays_whatever_is_written_later_and_after_a_restart(service: Service) -> None:
    generation = service.generation()
    service.write(generation, unit_vectors(150))
    before = range_of(service.calibration, generation)
    service.write(generation, np.eye(8, dtype=np.float32).repeat(40, axis=0))
    assert range_of(service.calibration, generation) == before < 1
    assert range_of(service.restarted(), generation) == before


def test_another_fingerprint_has_another_range(service: Service) -> None:
    one, two = service.generation("one"), service.generation("two")
    vectors = unit_vectors(150)
    service.write(one, vectors)
    service.write(two, np.eye(8, dtype=np.float32).repeat(40, axis=0))
    assert range_of(service.calibration, one) != range_of(service.restarted(), two)


def test_a_small_corpus_is_stood_for_by_the_sample(service: Service) -> None:
    generation = service.generation()
    service.write(generation, unit_vectors(20))
    first = range_of(service.calibration, generation)
    assert service.encoding.texts > 100
    service.write(generation, unit_vectors(200))
    assert range_of(service.restarted(), generation) == first


def test_a_range_that_cannot_be_stored_is_not_used(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    generation = service.generation()

    def fail(*_: object) -> None:
        raise StorageFailed("the disk fails")

    monkeypatch.setattr(service.corpus.records, "save_note", fail)
    with pytest.raises(StorageFailed):
        asyncio.run(service.calibration.range_end(generation))
    monkeypatch.undo()
    service.write(generation, unit_vectors(150))
    assert range_of(service.restarted(), generation) == greatest(unit_vectors(150))
