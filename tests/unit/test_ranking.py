"""The ranking metrics against their definitions, by hand and by property."""

from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.ranking import ndcg, recall, reciprocal_rank

IDS = st.lists(st.integers(0, 30).map(str), unique=True, max_size=20)


def test_figures_computed_by_hand() -> None:
    ranking = ["a", "b", "c", "d"]
    assert ndcg(ranking, {"a"}) == 1
    assert ndcg(ranking, {"c"}) == pytest.approx(0.5)
    assert ndcg(ranking, {"b", "d"}) == pytest.approx((1 / log2(3) + 1 / log2(5)) / (1 + 1 / log2(3)))
    assert ndcg(ranking, {"d"}, k=3) == 0
    assert recall(ranking, {"a", "x"}, 4) == 0.5
    assert recall(ranking, {"c"}, 2) == 0
    assert reciprocal_rank(ranking, {"c", "d"}) == pytest.approx(1 / 3)
    assert reciprocal_rank(ranking, {"x"}) == 0
    assert (ndcg(ranking, set()), recall(ranking, set(), 4), reciprocal_rank([], {"a"})) == (0, 0, 0)


@given(ranking=IDS, relevant=IDS.map(set), k=st.integers(1, 20))
def test_all_are_shares_and_perfect_only_for_a_perfect_ranking(ranking: list[str], relevant: set[str], k: int) -> None:
    for value in (ndcg(ranking, relevant, k), recall(ranking, relevant, k), reciprocal_rank(ranking, relevant, k)):
        assert 0 <= value <= 1 + 1e-9
    perfect = sum(document in relevant for document in ranking[:k]) == min(k, len(relevant)) and relevant
    first = all(document in relevant for document in ranking[: min(k, len(relevant))])
    assert (ndcg(ranking, relevant, k) > 1 - 1e-9) == bool(perfect and first)
