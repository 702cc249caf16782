"""Portions hold each document that lacks a vector once, with others that are cut alike."""

from dataclasses import dataclass
from itertools import count
from typing import Any, cast

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.corpus.base import Document, Seqs
from service.corpus.memory.documents import MemoryDocuments
from service.generations.unembedded import Unembedded
from service.index.base import IndexFactory
from service.models.windowing import Windowing, Windowings

DEFAULT, BOOKS = Windowing(32, 64), Windowing(0, 500)
WINDOWINGS = Windowings(DEFAULT, {"books": BOOKS})
COLLECTIONS = ("books", "letters", "notes")


@dataclass
class Stored:
    """Indexes that have vectors of one fingerprint."""

    seqs: set[int]

    def stored(self, fingerprint: str) -> Seqs:
        return np.array(sorted(self.seqs if fingerprint == "f" else ()), np.int64)


def write(documents: MemoryDocuments, sizes: dict[str, int]) -> None:
    names = count(documents.last_seq())
    for collection, size in sizes.items():
        added = [Document(f"d{next(names)}", "text", {}) for _ in range(size)]
        documents.put(collection, added, lambda _: None)


def unembedded(documents: MemoryDocuments, stored: set[int]) -> Unembedded:
    return Unembedded(documents, cast("IndexFactory", Stored(stored)), WINDOWINGS, "f")


@given(sizes=st.fixed_dictionaries({name: st.integers(0, 300) for name in COLLECTIONS}), data=st.data())
def test_every_document_without_a_vector_is_in_one_portion_that_cuts_as_its_collection_does(
    sizes: dict[str, int], data: Any
) -> None:
    documents = MemoryDocuments()
    write(documents, sizes)
    every = {seq: name for name, seqs in documents.live().items() for seq in seqs.tolist()}
    stored = data.draw(st.sets(st.sampled_from(sorted(every)))) if every else set()
    portions, total = unembedded(documents, stored).portions()
    assert total == len(every)
    seqs = [seq for portion in portions for seq in portion.seqs.tolist()]
    assert sorted(seqs) == sorted(every.keys() - stored)
    for portion in portions:
        assert 0 < len(portion.seqs) <= 128
        assert (np.diff(portion.seqs) > 0).all()
        assert {WINDOWINGS.of(every[seq]) for seq in portion.seqs.tolist()} == {portion.windowing}


def test_what_is_written_later_is_left_to_others_and_what_is_deleted_is_not_looked_for() -> None:
    documents = MemoryDocuments()
    write(documents, {"notes": 3})
    lacking = unembedded(documents, {1})
    write(documents, {"notes": 2})
    documents.delete_versions("notes", [3], lambda _: None)
    ((portion,), total) = lacking.portions()
    assert portion.seqs.tolist() == [2]
    assert total == 2


def test_a_portion_of_a_large_corpus_is_larger_and_a_loss_of_it_never_dear() -> None:
    documents = MemoryDocuments()
    documents.live = lambda after=0: {"notes": np.arange(1, 5_000_001)}  # type: ignore[method-assign]  # noqa: ARG005
    documents.last_seq = lambda: 5_000_000  # type: ignore[method-assign]
    portions, _ = unembedded(documents, set()).portions()
    assert {len(portion.seqs) for portion in portions[:-1]} == {1024}
