"""The documents among which dev chooses, of a corpus that is too large to be embedded again and again."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from trainer.data.dataset import Dataset, Document, Judgement
from trainer.train import dev_corpus

DOCUMENTS = 500
DATA = Dataset(
    {f"q{number}": f"question {number}" for number in range(10)},
    {f"d{number}": Document(f"document {number}") for number in range(DOCUMENTS)},
    (
        *(Judgement(f"q{number}", f"d{number}", good=True) for number in range(10)),
        Judgement("q0", "d400", good=False),
    ),
    dict.fromkeys((f"q{number}" for number in range(10)), "dev"),
)


class Line:
    """Embeds a text by the number at its end, on a quarter of a circle: the nearer the numbers, the nearer.

    The larger the number, the longer is its vector, unless unit vectors are asked for.
    """

    device = torch.device("cpu")

    def encode_query(self, texts: Sequence[str], *, normalize_embeddings: bool = False) -> np.ndarray:
        numbers = np.array([int(text.split()[-1]) for text in texts])
        angles = numbers / DOCUMENTS * np.pi / 2
        lengths = 1 if normalize_embeddings else 1 + numbers
        return (lengths * np.stack((np.cos(angles), np.sin(angles)))).T.astype(np.float32)

    encode_document = encode_query


def reduced(seed: int = 1) -> Dataset:
    base: Any = Line()
    return dev_corpus.reduced(base, DATA, DATA.good("dev"), "fp32", seed)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A corpus of 500 is large, and a query has 10 near documents."""
    for name, value in (("WHOLE", 100), ("_NEAR", 100), ("_OTHERS", 30), ("_LEAST", 5)):
        monkeypatch.setattr(dev_corpus, name, value)


def test_a_small_corpus_stays_whole() -> None:
    assert reduced() is DATA


@pytest.mark.usefixtures("large")
def test_judged_and_near_documents_are_there_and_few_others() -> None:
    kept = reduced().corpus
    assert {*(f"d{number}" for number in range(14)), "d400"} <= kept.keys()
    assert 40 < len(kept) <= 15 + 10 + 1 + 30
    assert all(document == DATA.corpus[key] for key, document in kept.items())


@pytest.mark.usefixtures("large")
def test_all_queries_and_judgements_of_dev_are_there() -> None:
    data = reduced()
    assert data.judgements == DATA.judgements
    assert data.good("dev") == DATA.good("dev")


@pytest.mark.usefixtures("large")
def test_an_equal_seed_takes_the_same_documents() -> None:
    assert reduced(3) == reduced(3)
    assert reduced(3) != reduced(4)
