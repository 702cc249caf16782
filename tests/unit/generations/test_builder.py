"""An index says of no document that it has it, unless it has it, whatever is written while it is loaded."""

import asyncio
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from service.cluster.alone import Alone
from service.corpus.base import Document, Seqs
from service.corpus.memory.documents import MemoryDocuments
from service.corpus.memory.records import MemoryRecords
from service.generations.builder import Builder
from service.generations.generations import Generations
from service.index.exact import ExactIndexes
from service.index.rows import whole
from service.index.vector_folder import VectorFolder
from service.machine.writer import WritingThread
from service.observability.observer import Unobserved
from tests.support.hashed import DIMENSIONS


class Written(MemoryDocuments):
    """Documents to which another process adds one right before, or right after, each of these was read once."""

    def __init__(self, method: str, *, before: bool) -> None:
        super().__init__()
        self.add()
        self.add()
        read = getattr(super(), method)

        def interleaved(*arguments: int) -> Any:
            setattr(self, method, read)
            if before:
                self.add()
            answer = read(*arguments)
            if not before:
                self.add()
            return answer

        setattr(self, method, interleaved)

    def add(self) -> None:
        self.put("default", [Document(f"d{self.state.last}", "text", {})], lambda _: None)


class Starting:
    """What embeds texts, of a service that does not answer yet."""

    answering = False


def vectors(seqs: Seqs) -> Any:
    return whole(seqs, np.eye(len(seqs), DIMENSIONS, dtype=np.float32))


@pytest.mark.parametrize("stored", [2, 3])
@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("method", ["live", "last_seq"])
def test_a_document_that_is_written_while_stored_vectors_are_loaded_is_not_lost(
    tmp_path: Path, method: str, before: bool, stored: int
) -> None:
    documents, starting = Written(method, before=before), cast("Any", Starting())
    thread, observer, indexes = WritingThread(), Unobserved(), ExactIndexes(VectorFolder(tmp_path))
    builder = Builder(
        documents=documents,
        generations=Generations(MemoryRecords(), thread, Alone(), retain=1, aliases={}, observer=observer),
        encoding=starting,
        indexes=indexes,
        headroom=starting,
        thread=thread,
        observer=observer,
    )
    index = indexes.open("f", DIMENSIONS)
    index.store.put(vectors(np.arange(1, stored + 1)))
    asyncio.run(builder.load_stored(index))
    thread.close()
    live = documents.live()["default"]
    assert live.tolist() == [1, 2, 3]
    assert index.live()["default"].tolist() == [seq for seq in live if seq <= index.complete_to]
    assert index.complete_to in (2, 3)
    # What it lacks can still be added.
    index.store.put(vectors(live))
    assert index.catch_up(documents.live(index.complete_to), 3)
    assert index.live()["default"].tolist() == [1, 2, 3]
