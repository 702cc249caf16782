"""A question is a few words that stand together in a document, embedded as a query on the event loop."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.generations.questions import QuestionMaker, taken_from
from service.index.base import GivenUp
from service.index.keywords.words import origins

TEXTS = st.lists(
    st.sampled_from(["kazu", "moro", "E-17,", "tibu.", "--", "温度が高い", "🙂", "straße", "x" * 300]), max_size=200
).map(" ".join)


@given(text=TEXTS, seed=st.integers(0, 20))
def test_a_question_is_a_part_of_the_text_with_a_few_of_its_words(text: str, seed: int) -> None:
    question = taken_from(text, np.random.default_rng(seed))
    assert question in text
    words = len(origins(question))
    assert words <= 8
    if len(text) <= 400:
        assert words >= min(4, len(origins(text)))


def test_a_script_without_spaces_gives_twice_as_many_characters() -> None:
    question = taken_from("冷蔵庫の温度が高いときは扉を閉めてください", np.random.default_rng(0))
    assert len(question) == 8


def test_questions_are_from_everywhere_in_a_text() -> None:
    text = " ".join(f"word{number}" for number in range(500))
    pick = np.random.default_rng(0)
    firsts = {int(taken_from(text, pick).split()[1].removeprefix("word")) // 100 for _ in range(100)}
    assert firsts == {0, 1, 2, 3, 4}


@dataclass
class Embedding:
    """Embeds each text as its length, and remembers what it was asked."""

    asked: list[tuple[Any, list[str], dict[str, Any]]] = field(default_factory=list)

    async def embed(self, encoder: Any, texts: list[str], **options: Any) -> Any:
        await asyncio.sleep(0)
        self.asked.append((encoder, texts, options))
        return np.array([[len(text)] for text in texts], np.float32)


@dataclass(frozen=True)
class Document:
    text: str


class Documents:
    """Two documents, one of them without words. A third one is gone."""

    def fetch(self, seqs: list[int]) -> Any:
        return {seq: Document(text) for seq, text in {1: "a few words", 2: "--"}.items() if seq in seqs}


def test_they_are_embedded_as_queries_behind_those_of_users() -> None:
    encoding: Any = Embedding()
    documents: Any = Documents()
    encoder: Any = object()

    async def run() -> Any:
        ask = QuestionMaker(documents, encoding).by(encoder)
        return await asyncio.to_thread(ask, np.array([1, 2, 3]), lambda: False)

    assert asyncio.run(run()).tolist() == [[11.0]]
    assert encoding.asked == [(encoder, ["a few words"], {"side": "query", "lane": "bulk", "patient": True})]


def test_nobody_waits_for_vectors_of_a_build_that_is_given_up() -> None:
    ended = asyncio.Event()

    class Hanging:
        async def embed(self, *_: Any, **__: Any) -> Any:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

    hanging: Any = Hanging()
    documents: Any = Documents()
    encoder: Any = object()

    async def run() -> None:
        ask = QuestionMaker(documents, hanging).by(encoder)
        with pytest.raises(GivenUp):
            await asyncio.to_thread(ask, np.array([1]), lambda: True)
        await asyncio.wait_for(ended.wait(), 5)

    asyncio.run(run())
