"""A fusion of two rankings keeps what both agree on, and says of a document what its parts say of it."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.search.fusion import Scored, Weights, by_rank, by_score

SEQS = st.lists(st.integers(1, 30), unique=True, max_size=12)
SCORES = st.lists(st.floats(0, 1, width=32), min_size=12, max_size=12)
Fuse = Callable[[Scored, Scored, Weights], list[tuple[int, float]]]
WEIGHTS = st.builds(Weights, st.floats(0.125, 8, width=32), st.floats(0.125, 8, width=32))


@st.composite
def rankings(draw: st.DrawFn) -> Scored:
    seqs = draw(SEQS)
    return list(zip(seqs, sorted(draw(SCORES), reverse=True), strict=False))


def test_scores_are_the_weighted_mean_of_cosine_and_coverage() -> None:
    fused = by_score([(7, 0.8), (3, 0.2)], [(3, 0.9), (5, 0.6)], Weights(2, 1))
    # 5 has the lowest cosine, 0.2, and 7 no coverage.
    assert [seq for seq, _ in fused] == [7, 3, 5]
    assert [score for _, score in fused] == pytest.approx([1.6 / 3, 1.3 / 3, 1.0 / 3])


def test_ranks_are_the_weighted_mean_of_their_reciprocals() -> None:
    fused = by_rank([(7, 0.8), (3, 0.2)], [(3, 9.0)], Weights(1, 1))
    assert [seq for seq, _ in fused] == [3, 7]
    assert [score for _, score in fused] == pytest.approx([(61 / 62 + 1) / 2, 0.5])


@pytest.mark.parametrize("fuse", [by_score, by_rank])
@given(dense=rankings(), keyword=rankings(), weights=WEIGHTS)
def test_every_document_comes_once_and_in_order(fuse: Fuse, dense: Scored, keyword: Scored, weights: Weights) -> None:
    fused = fuse(dense, keyword, weights)
    assert sorted(seq for seq, _ in fused) == sorted(dict(dense) | dict(keyword))
    assert fused == sorted(fused, key=lambda scored: (-scored[1], scored[0]))


@pytest.mark.parametrize("fuse", [by_score, by_rank])
@given(ranking=rankings(), weights=WEIGHTS)
def test_two_equal_rankings_have_the_order_of_either(fuse: Fuse, ranking: Scored, weights: Weights) -> None:
    scores = dict(ranking)
    fused = [seq for seq, _ in fuse(ranking, ranking, weights)]
    if fuse is by_rank:
        assert fused == [seq for seq, _ in ranking]
    else:
        assert all(scores[better] >= scores[worse] - 1e-6 for better, worse in pairwise(fused))


@given(dense=rankings(), weights=WEIGHTS)
def test_without_words_the_order_is_that_of_the_vectors(dense: Scored, weights: Weights) -> None:
    assert [seq for seq, _ in by_rank(dense, [], weights)] == [seq for seq, _ in dense]


def test_the_first_of_both_rankings_has_the_score_1() -> None:
    ((_, score),) = by_rank([(4, 0.1)], [(4, 0.1)], Weights(3, 0.5))
    assert score == pytest.approx(1.0)
