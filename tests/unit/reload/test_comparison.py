"""The comparison by which reloads are judged: what is no change, what is worse beyond doubt, and what shows nothing."""

import json
from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service import ranking
from service.reload.comparison import Figures, K, compare, figures_of
from service.reload.job import Job
from service.reload.judged import Judged
from service.reload.judged_queries import JudgedQuery

SCORES = st.lists(st.tuples(st.integers(0, 64), st.integers(0, 64)), min_size=1, max_size=40)


def query(text: str, good: Sequence[int], bad: Sequence[int] = (), collection: str = "default") -> JudgedQuery:
    return JudgedQuery(text, collection, np.array(good, np.int64), np.array(bad, np.int64), ())


def figures(ndcg: float) -> Figures:
    return Figures(ndcg=ndcg, recall=ndcg, in_order=None, condensed=ndcg, unjudged=3)


def alone(count: int) -> list[JudgedQuery]:
    """Queries that do not depend on each other."""
    return [query(f"question {number}", [number]) for number in range(count)]


def compared(before: Sequence[float], after: Sequence[float]) -> Judged:
    return compare(alone(len(before)), list(map(figures, before)), list(map(figures, after)))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 64).map(lambda score: score / 64), min_size=1, max_size=40))
def test_equal_rankings_differ_by_nothing_and_are_never_refused(scores: list[float]) -> None:
    judged = compared(scores, scores)
    assert (judged.loss, judged.interval, judged.p) == (0, (0, 0), 1)
    assert (judged.better, judged.worse, judged.worst, judged.detectable) == (0, 0, [], None)
    assert judged.shortcoming(0.0) is None


@settings(deadline=None, max_examples=25)
@given(SCORES, st.randoms(use_true_random=False))
def test_the_order_of_the_queries_does_not_matter(scores: list[tuple[int, int]], random: Random) -> None:
    queries = [query(f"question {number}", [number % 7]) for number in range(len(scores))]
    rows = [
        (one, figures(before / 64), figures(after / 64)) for one, (before, after) in zip(queries, scores, strict=True)
    ]
    shuffled = list(rows)
    random.shuffle(shuffled)
    first, second = (
        compare([one for one, _, _ in order], [before for _, before, _ in order], [after for _, _, after in order])
        for order in (rows, shuffled)
    )
    assert first == second


@settings(deadline=None, max_examples=25)
@given(st.integers(6, 60), st.integers(1, 64))
def test_a_small_loss_of_every_query_is_refused_beyond_doubt(count: int, fall: int) -> None:
    judged = compared([1.0] * count, [1 - fall / 10_000] * count)
    assert judged.loss < 0.01
    assert "no chance" in str(judged.shortcoming(0.01))
    assert judged.shortcoming(1) is None
    # The gain that is as large is one.
    assert compared([1 - fall / 10_000] * count, [1.0] * count).shortcoming(0.0) is None


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_few_queries_leave_doubt(count: int) -> None:
    judged = compared([1.0] * count, [0.995] * count)
    assert judged.interval is not None
    assert judged.interval[1] < 0
    assert judged.detectable is None or count > 1
    assert judged.shortcoming(0.02) is None
    assert judged.shortcoming(0.004) == "and it may lose 0.004 (INSTAR_GATE__MAX_LOSS)"


def test_a_loss_that_may_be_chance_is_refused_by_the_limit_alone() -> None:
    draw = np.random.default_rng(1)
    before = draw.uniform(0.3, 0.7, 40)
    after = before - 0.01 + draw.normal(0, 0.2, 40).clip(-0.29, 0.29)
    judged = compared(before.tolist(), after.tolist())
    assert judged.p is not None
    assert judged.p > 0.05
    assert judged.detectable is not None
    assert judged.detectable > 0.05
    assert judged.shortcoming(0.5) is None
    assert f"these queries can show a difference of {judged.detectable:.3f}" in str(judged.shortcoming(judged.loss / 2))


def test_queries_with_a_common_answer_or_equal_words_count_as_one() -> None:
    queries = [query(f"question {number}", [0]) for number in range(20)]
    queries += [query("The words", [50]), query("words, the", [51])]
    before, after = [figures(1.0)] * 22, [figures(0.999)] * 22
    judged = compare(queries, before, after)
    # Two clusters have four patterns of signs.
    assert judged.p == 0.5
    assert judged.shortcoming(0.02) is None
    assert "no chance" in str(compare(alone(22), before, after).shortcoming(0.02))


@given(st.lists(st.integers(0, 200), unique=True, max_size=100), st.sets(st.integers(0, 200), min_size=1), st.data())
def test_a_condensed_list_is_that_of_the_judged_documents(
    deeper: list[int], judged: set[int], data: st.DataObject
) -> None:
    good = data.draw(st.sets(st.sampled_from(sorted(judged)), min_size=1))
    one = query("q", sorted(good), sorted(judged - good))
    result = figures_of(one, deeper[:K], deeper, lambda seqs: -seqs.astype(np.float32))
    assert result.condensed == ranking.ndcg([seq for seq in deeper if seq in judged], good)
    assert result.condensed >= result.ndcg
    assert result.unjudged == len(set(deeper[:K]) - judged)
    assert result.ndcg == ranking.ndcg(deeper, good)


def test_jobs_of_former_versions_still_load() -> None:
    former = {
        "model": "m",
        "judged": {
            "queries": 1,
            "active": {"ndcg": 1.0, "recall": 1.0, "good_above_bad": None},
            "building": {"ndcg": 0.9, "recall": 1.0, "good_above_bad": None},
            "worst": [{"query": "q", "collection": "default", "active": 1.0, "building": 0.9}],
        },
    }
    job = Job.model_validate_json(json.dumps(former))
    assert job.judged is not None
    assert (job.judged.mode, job.judged.interval, job.judged.detectable) == ("dense", None, None)
    assert job.judged.active.condensed is None
    assert Job.model_validate_json(job.model_dump_json()) == job
