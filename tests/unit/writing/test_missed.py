"""A process that compares with the whole corpus shows what one shows that has followed every change."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from service.corpus.base import Change, Document
from service.corpus.memory.store import MemoryStore
from service.index.base import VectorIndex
from service.index.exact import ExactIndexes
from service.index.keywords.index import TwoPartKeywords
from service.index.rows import stack
from service.index.vector_folder import VectorFolder
from service.machine.arrays import Windows
from service.writing.missed import show_missed

COLLECTIONS = ("default", "other", "third")
IDS = [f"d{number}" for number in range(8)]
WORDS = ("kazu", "moro", "tibu")
writes = st.lists(
    st.tuples(
        st.sampled_from(COLLECTIONS),
        st.lists(st.sampled_from(IDS), max_size=4, unique=True),
        st.sampled_from([*WORDS, None]),
    ),
    max_size=12,
)


class Process:
    """What a process shows of a corpus: words, and two indexes of which one takes no additions any more."""

    def __init__(self, folder: Path, corpus: MemoryStore) -> None:
        self.documents = corpus.documents
        self.keywords = TwoPartKeywords(folder / "words", corpus.documents)
        self.keywords.load()
        self.indexes: list[VectorIndex] = [
            ExactIndexes(VectorFolder(folder / name)).open("f", 8) for name in ("written", "retained")
        ]
        for index in self.indexes:
            index.build({}, 0, lambda: False)()

    def follow(self, change: Change, texts: list[str]) -> None:
        self.keywords.prepare(change, texts)()
        window = Windows(np.ones((1, 8), np.float32), np.zeros((1, 2), np.int32))
        rows = stack(change.added, [window] * len(texts)) if texts else None
        self.indexes[0].prepare(change, rows)()
        if rows is not None:
            self.indexes[0].store.put(rows)
        self.indexes[1].prepare(change, rows if change.before < 3 else None)()

    def show_missed(self) -> None:
        show_missed(self.documents, self.keywords, self.indexes)

    def shows(self, word: str, collection: str) -> list[int]:
        """The documents with the word that a search finds: the words know dead ones, which the index leaves out."""
        portions = self.keywords.view().rank(word, collection, 100).portions
        ranked = np.array([seq for portion in portions for seq, _ in portion], np.int64)
        return sorted(ranked[self.indexes[0].view(collection).holds(ranked, None)].tolist())


def write(corpus: MemoryStore, processes: list[Process], collection: str, ids: list[str], word: str | None) -> None:
    """Put documents with the word, or delete them; the processes follow."""
    if word is None:
        change, texts = corpus.documents.delete(collection, ids, lambda _: None), []
    else:
        texts = [f"{word} {identity}" for identity in ids]
        made = [Document(identity, text, {}) for identity, text in zip(ids, texts, strict=True)]
        change = corpus.documents.put(collection, made, lambda _: None)
    for process in processes:
        process.follow(change, texts)


@settings(deadline=None, max_examples=25)
@given(followed=writes, missed=writes)
def test_what_was_missed_is_shown_as_if_it_had_been_followed(
    followed: list[tuple[str, list[str], str | None]], missed: list[tuple[str, list[str], str | None]]
) -> None:
    with TemporaryDirectory() as folder:
        corpus = MemoryStore(10)
        present, away = (Process(Path(folder) / name, corpus) for name in ("present", "away"))
        for each in followed:
            write(corpus, [present, away], *each)
        for each in missed:
            write(corpus, [present], *each)
        away.show_missed()
        # Vectors that are missing are brought by another part.
        live = {name: seqs[seqs > away.indexes[0].complete_to] for name, seqs in corpus.documents.live().items()}
        stored = present.indexes[0].store.some([seq for seqs in live.values() for seq in seqs.tolist()])
        if stored:
            away.indexes[0].store.put(stack(list(stored), list(stored.values())))
        assert away.indexes[0].catch_up({name: seqs for name, seqs in live.items() if len(seqs)}, 10**6)
        assert as_lists(away.indexes[0]) == as_lists(present.indexes[0])
        alive = {seq for seqs in corpus.documents.live().values() for seq in seqs.tolist()}
        assert {seq for seqs in as_lists(away.indexes[1]).values() for seq in seqs} <= alive
        for word in WORDS:
            for collection in COLLECTIONS:
                assert away.shows(word, collection) == present.shows(word, collection)


def as_lists(index: VectorIndex) -> dict[str, list[int]]:
    return {collection: seqs.tolist() for collection, seqs in index.live().items()}
