"""The estimate of a balance follows the part that finds the documents that questions were taken from."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.corpus.base import Document
from service.corpus.memory.store import MemoryStore
from service.generations.generation import Generation
from service.index.exact import ExactIndexes
from service.index.keywords.index import TwoPartKeywords
from service.index.rows import whole
from service.index.vector_folder import VectorFolder
from service.machine.arrays import Vectors
from service.search.estimate import Estimator, share_of
from service.search.retrieval import Retrieval

FIGURES = st.floats(0, 1)
DIMENSIONS = 64
COUNT = 60


@given(dense=FIGURES, keyword=FIGURES, better=FIGURES)
def test_the_share_grows_with_the_part_and_neither_part_is_left_out(
    dense: float, keyword: float, better: float
) -> None:
    share = share_of(dense, keyword)
    assert 0.1 <= share <= 0.8
    assert share_of(max(dense, better), keyword) >= share >= share_of(dense, max(keyword, better))


def topic(number: int) -> str:
    """Two sentences that share the words of one topic, and no other document's."""
    name = f"kazu{number} moro{number} tibu{number} ralo{number}"
    kept = f"The {name} are kept in the dark cellar of the old house."
    return f"{kept} Every {name} is counted once a year by two people in turn."


class Words:
    """An encoder that knows the number of a topic, or nothing at all."""

    def __init__(self, *, blind: bool) -> None:
        self._blind = blind

    async def embed(self, _encoder: Any, texts: list[str], **_options: Any) -> Vectors:
        return np.stack([self.vector(text) for text in texts])

    def vector(self, text: str) -> Vectors:
        seed = hash(text) if self._blind else int(text.partition("kazu")[2].split()[0])
        vector = np.random.default_rng(abs(seed)).normal(size=DIMENSIONS)
        unit: Vectors = (vector / np.linalg.norm(vector)).astype(np.float32)
        return unit


def estimate(folder: Path, encoder: Words, texts: list[str]) -> Any:
    store = MemoryStore(10)
    index = ExactIndexes(VectorFolder(folder)).open("f", DIMENSIONS)
    documents = [Document(f"d{number}", text, {}) for number, text in enumerate(texts)]
    change = store.documents.put("default", documents, lambda _: None)
    seqs = np.array(change.added, dtype=np.int64)
    index.store.put(whole(seqs, np.stack([encoder.vector(text) for text in texts])))
    index.build({"default": seqs}, int(seqs[-1]), lambda: False)()
    generation: Any = Generation(None, None, index)  # type: ignore[arg-type]
    encoding: Any = encoder
    keywords = TwoPartKeywords(folder / "words", store.documents)
    keywords.load()
    retrieval = Retrieval(keywords, store.documents)
    return asyncio.run(Estimator(store.documents, keywords, retrieval, encoding).estimate(generation, "default"))


@pytest.mark.parametrize("blind", [False, True])
def test_a_blind_model_gets_the_least_weight(tmp_path: Path, *, blind: bool) -> None:
    estimated = estimate(tmp_path, Words(blind=blind), [topic(number) for number in range(COUNT)])
    assert estimated.questions == COUNT
    # Words find every source, so the model that does, too, gets 1.75 to 1.
    assert estimated.share == pytest.approx(0.1 if blind else 1.75 / 2.75, abs=0.01)


def test_few_documents_and_single_sentences_say_nothing(tmp_path: Path) -> None:
    encoder = Words(blind=False)
    assert estimate(tmp_path / "few", encoder, [topic(number) for number in range(20)]) is None
    assert estimate(tmp_path / "short", encoder, [f"kazu{number} is a word" for number in range(COUNT)]) is None
