"""A ranking in a reranker's order: nothing is lost, nothing comes up from below the candidates, and ranks follow."""

from hypothesis import given
from hypothesis import strategies as st

from trainer.prepare import reranking
from trainer.prove.rankings import Rankings

SCORED = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.floats(-5, 5), min_size=1, max_size=12)


@given(SCORED, st.integers(1, 15))
def test_candidates_are_ordered_by_score_and_the_rest_stays(scores: dict[str, float], candidates: int) -> None:
    ranking = list(scores)
    ordered = reranking.order(ranking, scores, candidates)
    assert sorted(ordered[:candidates]) == sorted(ranking[:candidates])
    assert ordered[candidates:] == ranking[candidates:]
    assert [scores[document] for document in ordered[:candidates]] == sorted(
        (scores[document] for document in ranking[:candidates]), reverse=True
    )


def test_equal_scores_keep_the_order_of_the_retriever() -> None:
    assert reranking.order(["b", "a", "c"], {"a": 1.0, "b": 1.0, "c": 1.0}, 3) == ["b", "a", "c"]


@given(SCORED, st.integers(1, 15))
def test_ranks_of_judged_documents_follow(scores: dict[str, float], candidates: int) -> None:
    ranking = list(scores)
    ranks = {document: rank for rank, document in enumerate(ranking, 1)}
    after = Rankings({"q": ranking}, {"q": ranks}).reranked({"q": scores}, candidates)
    assert after.ranks["q"] == {document: rank for rank, document in enumerate(after.top["q"], 1)}
