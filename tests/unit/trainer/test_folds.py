"""Folds: each judged query is tested once, and nothing that a fold trains on tells it of its test."""

from collections import Counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trainer.data.dataset import Dataset, Document, Judgement
from trainer.data.inspection import leak
from trainer.errors import BadData
from trainer.prepare import folds, splits
from trainer.recipe import SplitMode

NUMBERS = st.integers(0, 59)
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=20, max_size=60)
MODES: st.SearchStrategy[SplitMode] = st.sampled_from(["auto", "by-component", "by-query"])
FEW = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=20)


def dataset(pairs: list[tuple[int, int]], weak: list[tuple[int, int]]) -> Dataset:
    """Query n has the words of query n % 40, from 40 on with other case, order and punctuation."""
    queries = {f"q{n}": f"question {n}" if n < 40 else f"{n % 40}: Question?" for n in range(60)}
    corpus = {f"d{n}": Document(f"answer {n}") for n in range(60)}
    judgements = [Judgement(f"q{query}", f"d{document}", True) for query, document in pairs]
    judgements += [Judgement(f"q{query}", f"d{document}", True, weak=True) for query, document in weak]
    return Dataset(queries, corpus, tuple(judgements))


def divided(data: Dataset, count: int, mode: SplitMode = "auto", seed: int = 13) -> list[Dataset]:
    try:
        return folds.folds(data, count, mode, seed)
    except BadData:
        # So few, or so connected, are refused.
        assume(False)
        raise


@given(PAIRS, FEW, st.integers(2, 5), MODES, st.integers(0, 5))
def test_each_query_is_tested_in_one_fold(
    pairs: list[tuple[int, int]], weak: list[tuple[int, int]], count: int, mode: SplitMode, seed: int
) -> None:
    data = dataset(pairs, weak)
    parts = divided(data, count, mode, seed)
    assert len(parts) == count
    tests = Counter(query for fold in parts for query in fold.good("test"))
    assert tests == Counter(data.good().keys())
    assert folds.tested(data, parts).good("test") == data.good()


@given(PAIRS, FEW, st.integers(2, 5))
def test_no_fold_trains_on_a_question_or_an_answer_that_it_is_tested_on(
    pairs: list[tuple[int, int]], weak: list[tuple[int, int]], count: int
) -> None:
    data = dataset(pairs, weak)
    for fold in divided(data, count):
        assert fold.good("train")
        assert fold.good("dev")
        shared = leak(fold, "test")
        assert (shared.queries, shared.same_good) == (0, 0)


@given(PAIRS, FEW, st.integers(2, 5))
def test_by_query_no_fold_trains_on_the_words_of_a_question_that_it_is_tested_on(
    pairs: list[tuple[int, int]], weak: list[tuple[int, int]], count: int
) -> None:
    for fold in divided(dataset(pairs, weak), count, "by-query"):
        assert leak(fold, "test").same_query == 0


def test_by_query_a_fold_trains_on_answers_of_other_questions() -> None:
    data = dataset([(n, n % 4) for n in range(40)], [])
    with pytest.raises(BadData, match="4 groups of queries that share no answer"):
        folds.folds(data, 5, "auto", 13)
    for fold in folds.folds(data, 5, "by-query", 13):
        assert leak(fold, "test").same_good == len(fold.good("test")) == 8


@given(PAIRS, FEW)
def test_the_package_is_trained_on_every_question(pairs: list[tuple[int, int]], weak: list[tuple[int, int]]) -> None:
    data = dataset(pairs, weak)
    assume(len(splits.groups(data)) > 10)
    whole = folds.whole(data, "auto", 13)
    human = {query for query, names in whole.splits.items() if names in ("train", "dev")}
    assert human == data.good().keys()
    assert whole.good("test") == {}


def test_the_parts_are_of_nearly_equal_size() -> None:
    data = dataset([(n, n) for n in range(40)], [])
    assert sorted(len(fold.good("test")) for fold in folds.folds(data, 5, "auto", 13)) == [8, 8, 8, 8, 8]


def test_fewer_groups_than_folds_are_refused_with_what_to_do() -> None:
    with pytest.raises(BadData, match=r"2 groups .* 3 folds: judge queries with other answers, or give fewer --folds"):
        folds.folds(dataset([(1, 1), (2, 1), (3, 3)], []), 3, "auto", 13)
