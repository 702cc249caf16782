"""The effort of a graph is the least at which questions of its documents find what comparing all vectors finds."""

from typing import Any

import numpy as np
import pytest

from service.index.faiss import sealed, tuning
from service.index.rows import whole
from tests.unit.index.test_index import clustered

SIZE = 4000


@pytest.fixture(scope="module")
def vectors() -> Any:
    return clustered(21, SIZE)


def effort(vectors: Any, questions: Any) -> tuple[int, float]:
    built = sealed.build(
        lambda: whole(np.arange(1, SIZE + 1), vectors), graph_from=1, min_recall=0.99, questions=questions
    )
    return built.effort, built.recall


def test_questions_that_are_hard_to_answer_cost_more_effort_than_documents(vectors: Any) -> None:
    hard = np.random.default_rng(1).normal(size=(200, 64)).astype(np.float32)
    easy, of_documents = effort(vectors, lambda seqs, _: vectors[seqs - 1])
    raised, of_hard = effort(vectors, lambda *_: hard)
    assert easy < raised
    assert min(of_documents, of_hard) >= 0.99


def test_it_asks_for_some_documents_once_each(vectors: Any) -> None:
    asked: list[Any] = []

    def questions(seqs: Any, _: Any) -> Any:
        asked.append(seqs)
        return vectors[seqs - 1]

    effort(vectors, questions)
    (seqs,) = asked
    assert len(seqs) == 200
    assert (np.diff(seqs) > 0).all()
    assert 1 <= seqs[0] < SIZE // 10
    assert SIZE - SIZE // 10 < seqs[-1] <= SIZE


def test_too_few_questions_are_not_believed(vectors: Any) -> None:
    assert effort(vectors, lambda seqs, _: vectors[seqs[:20] - 1]) == effort(vectors, None)


def test_sums_of_vectors_stand_for_questions_and_get_more_effort_past_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = clustered(3, 3000)

    def at_first_effort() -> int:
        # The first effort is enough for so little.
        return sealed.build(lambda: whole(np.arange(3000), vectors), graph_from=1, min_recall=0).effort

    assert at_first_effort() == 16
    monkeypatch.setattr(tuning, "_SUMS_HOLD_TO", 300)
    assert at_first_effort() == round(16 * 10**0.2)
    monkeypatch.setattr(tuning, "_MOST_EFFORT", 20)
    monkeypatch.setattr(tuning, "LOOKED_AT", 300)
    assert at_first_effort() == 20
