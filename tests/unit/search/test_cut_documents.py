"""The count of cut documents is that of looking at every document, whatever was written since the count before."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.corpus.base import Change, Document
from service.corpus.memory.store import MemoryStore
from service.generations.generation import Generation
from service.generations.loaded import LoadedGenerations
from service.index.base import VectorIndex
from service.index.exact import ExactIndexes
from service.index.rows import stack
from service.index.vector_folder import VectorFolder
from service.machine.arrays import Windows
from service.models.windowing import Windowing, Windowings
from service.search.cut_documents import CutDocuments

MOST = 3
WINDOWINGS = Windowings(Windowing(overlap=0, most=MOST), {"heads": Windowing(overlap=0, most=1)})
# A word is five characters, and a window two words.
WORD, WINDOW = "kazu ", 10
WRITES = st.lists(
    st.tuples(st.sampled_from(["notes", "heads"]), st.sampled_from("abc"), st.integers(0, 9), st.booleans()),
    max_size=12,
)


def windows_of(text: str, most: int) -> Windows:
    """The windows of a text, as a splitter makes them: none of them ends in white space."""
    if len(text) <= WINDOW:
        spans = [[0, 0]]
    else:
        spans = [[start, start + len(text[start : start + WINDOW].rstrip())] for start in range(0, len(text), WINDOW)]
        spans = [span for span in spans if span[0] < span[1]][:most]
    return Windows(np.ones((len(spans), 1), np.float32), np.array(spans, np.int32))


class Corpus:
    """Documents, and an index of them that follows each write."""

    def __init__(self, folder: Path) -> None:
        self.documents = MemoryStore(10).documents
        self.index: VectorIndex = ExactIndexes(VectorFolder(folder)).open("f", 1)
        self.index.build({}, 0, lambda: False)()
        model: Any = None
        generations = LoadedGenerations(active=Generation(model, model, self.index))
        self.cut_documents = CutDocuments(self.documents, generations, WINDOWINGS)

    def put(self, collection: str, identity: str, text: str) -> None:
        windows = windows_of(text, WINDOWINGS.of(collection).most)
        publish: list[Any] = []

        def prepare(change: Change) -> None:
            publish.append(self.index.prepare(change, stack(change.added, [windows])))

        self.documents.put(collection, [Document(identity, text, {})], prepare)
        publish[0]()

    def delete(self, collection: str, identity: str) -> None:
        publish: list[Any] = []
        self.documents.delete(collection, [identity], lambda change: publish.append(self.index.prepare(change, None)))
        publish[0]()

    def cut(self) -> dict[str, int]:
        """Count the documents of which a window ends before the text does."""
        counts = {}
        for name in ("notes", "heads"):
            texts = [version.document.text.rstrip() for version in self.documents.page(name, 0, 100)]
            read = WINDOW * WINDOWINGS.of(name).most
            counts[name] = sum(len(text) > read for text in texts)
        return {name: count for name, count in counts.items() if count}


@settings(deadline=None)
@given(writes=WRITES, blank=st.integers(0, 30))
def test_a_count_agrees_with_a_look_at_every_document(writes: list[tuple[str, str, int, bool]], blank: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        corpus = Corpus(Path(folder))
        for collection, identity, words, is_counted in writes:
            if words:
                corpus.put(collection, identity, WORD * words + " " * blank)
            else:
                corpus.delete(collection, identity)
            if is_counted:
                assert corpus.cut_documents.count() == corpus.cut()
        assert corpus.cut_documents.count() == corpus.cut()


def test_a_second_count_reads_no_text_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = Corpus(tmp_path)
    for number in range(5):
        corpus.put("heads", f"d{number}", WORD * 9)
    assert corpus.cut_documents.count() == {"heads": 5}
    read: list[int] = []
    fetch = corpus.documents.fetch

    def reading(seqs: Sequence[int]) -> dict[int, Document]:
        read.extend(seqs)
        return fetch(seqs)

    monkeypatch.setattr(corpus.documents, "fetch", reading)
    corpus.put("heads", "d9", WORD * 9)
    assert corpus.cut_documents.count() == corpus.cut_documents.count() == {"heads": 6}
    assert read == [6]
