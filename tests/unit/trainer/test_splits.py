"""No answer to a test query was trained on, and the same seed divides in the same way."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trainer.data.dataset import SPLITS, Dataset, Document, Judgement, Split
from trainer.data.inspection import leak
from trainer.data.texts import normalised
from trainer.errors import BadData
from trainer.prepare import splits
from trainer.recipe import SplitMode


def dataset(pairs: list[tuple[int, int]], weak: Sequence[tuple[int, int]] = ()) -> Dataset:
    """Query n has the text of query n % 50 in other spelling, document n that of document n % 80."""
    queries = {f"q{n}": f"question {n % 50}" + " " * (n // 50) for n in range(100)}
    corpus = {f"d{n}": Document(f"ANSWER {n % 80}" if n >= 80 else f"answer {n}") for n in range(100)}
    judgements = [Judgement(f"q{query}", f"d{document}", True) for query, document in pairs]
    judgements += [Judgement(f"q{query}", f"d{document}", True, weak=True) for query, document in weak]
    return Dataset(queries, corpus, tuple(judgements))


def shuffled(data: Dataset, seed: int) -> Dataset:
    pick = random.Random(seed)
    queries, corpus, judgements = list(data.queries.items()), list(data.corpus.items()), list(data.judgements)
    for part in (queries, corpus, judgements):
        pick.shuffle(part)
    return Dataset(dict(queries), dict(corpus), tuple(judgements), data.splits)


NUMBERS = st.integers(0, 99)
# Fewer are often refused as too few, and more as too connected.
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=12, max_size=40)
FEW = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=20)


@given(PAIRS, FEW, st.integers(0, 5))
def test_no_component_crosses_splits(pairs: list[tuple[int, int]], weak: list[tuple[int, int]], seed: int) -> None:
    data = dataset(pairs, weak)
    try:
        divided, _ = splits.split(data, "by-component", seed)
    except BadData:
        assume(False)
    assert divided.splits.keys() == {judgement.query for judgement in data.judgements if not judgement.weak}
    component = splits.components(divided)
    used: dict[int, set[Split]] = {}
    for name in SPLITS:
        for query in divided.good(name):
            used.setdefault(component[query], set()).add(name)
    assert all(len(names) == 1 for names in used.values())
    assert leak(divided, "test").queries == leak(divided, "dev").queries == 0
    assert set(data.judgements) - set(divided.judgements) <= {one for one in data.judgements if one.weak}


@given(PAIRS, st.integers(0, 5), st.sampled_from(["by-component", "by-query"]))
def test_the_same_seed_divides_alike_whatever_the_order(
    pairs: list[tuple[int, int]], seed: int, mode: SplitMode
) -> None:
    data = dataset(pairs)
    try:
        divided, how = splits.split(data, mode, seed)
    except BadData:
        assume(False)
    again, said = splits.split(shuffled(data, seed), mode, seed)
    assert (again.splits, said) == (divided.splits, how)
    assert splits.components(shuffled(data, seed)) == splits.components(data)


@given(PAIRS, st.integers(0, 5))
def test_by_query_keeps_a_text_together(pairs: list[tuple[int, int]], seed: int) -> None:
    data = dataset(pairs)
    try:
        divided = splits.by_query(data, seed)
    except BadData:
        assume(False)
    assert divided.splits.keys() == {judgement.query for judgement in data.judgements}
    names: dict[str, set[Split]] = {}
    for query, name in divided.splits.items():
        names.setdefault(normalised(data.queries[query]), set()).add(name)
    assert all(len(found) == 1 for found in names.values())


@pytest.mark.parametrize("mode", ["by-component", "by-query"])
def test_shares_come_out_close(mode: SplitMode) -> None:
    data = Dataset(
        {f"q{n}": f"question {n}" for n in range(1000)},
        {f"d{n}": Document(f"answer {n}") for n in range(125)},
        tuple(Judgement(f"q{n}", f"d{n // 8}", True) for n in range(1000)),
    )
    sizes = Counter(splits.split(data, mode, 3)[0].splits.values())
    assert all(abs(sizes[name] - share * 1000) <= 8 for name, share in zip(SPLITS, splits.SHARES, strict=True))
    seeds = [splits.split(data, mode, seed)[0].splits for seed in (3, 4)]
    assert seeds[0] != seeds[1]


def test_components_join_equal_texts_and_equal_answers_and_nothing_else() -> None:
    data = dataset([(0, 0), (1, 80), (2, 2), (52, 3), (4, 4)])
    found = splits.components(replace(data, judgements=(*data.judgements, Judgement("q5", "d4", False))))
    assert found["q0"] == found["q1"]  # d80 has the text of d0
    assert found["q2"] == found["q52"]  # the same question
    assert len({found["q0"], found["q2"], found["q4"], found["q5"]}) == 4  # what is bad joins nothing


def test_one_giant_component_is_refused_and_by_query_proposed() -> None:
    data = dataset([(n, 0) for n in range(50)])
    with pytest.raises(BadData, match=r"50 queries in 1 components.*the largest of 50.*--split by-query"):
        splits.split(data, "by-component", 1)
    divided, how = splits.split(data, "by-query", 1)
    assert Counter(divided.splits.values()) == {"train": 30, "dev": 10, "test": 10}
    assert "test questions are new (--split by-query): train 30, dev 10, test 10; 10 of 10 test questions share" in how


def test_auto_takes_the_splits_that_the_data_has_and_says_what_they_share() -> None:
    data = dataset([(0, 0), (1, 1), (2, 0)]).with_splits({"q0": "train", "q1": "dev", "q2": "test"})
    divided, how = splits.split(data, "auto", 1)
    assert divided == data
    assert how == (
        "the data divides the questions itself (of 1 test queries 0 have their words and 1 a good document in train or"
        " dev too): train 1, dev 1, test 1"
    )


def test_auto_divides_by_component_what_has_no_splits() -> None:
    data = dataset([(n, n) for n in range(50)])
    divided, how = splits.split(data, "auto", 1)
    assert divided.splits == splits.by_component(data, 1).splits
    said = "questions with a common answer stay together, so that no answer to a test question is trained on: train 30"
    assert how.startswith(said)
    assert splits.split(data, "by-component", 1)[1] == how.replace(": train", " (--split by-component): train")


def test_a_missing_dev_is_cut_from_train_by_component() -> None:
    names: dict[str, Split] = {f"q{n}": "test" if n >= 40 else "train" for n in range(50)}
    data = dataset([(n, n // 2) for n in range(50)]).with_splits(names)
    divided, how = splits.split(data, "given", 1)
    assert "dev is cut from train, where questions with a common answer stay together" in how
    assert Counter(divided.splits.values()) == {"train": 30, "dev": 10, "test": 10}
    assert {query for query, name in divided.splits.items() if name == "test"} == {f"q{n}" for n in range(40, 50)}
    assert leak(divided, "dev").queries == 0


def test_a_missing_dev_is_cut_by_query_where_all_answers_are_connected() -> None:
    names: dict[str, Split] = {f"q{n}": "test" if n >= 40 else "train" for n in range(50)}
    divided, how = splits.split(dataset([(n, 0) for n in range(50)]).with_splits(names), "given", 1)
    assert "dev is cut from train, where questions with equal words stay together" in how
    assert Counter(divided.splits.values()) == {"train": 30, "dev": 10, "test": 10}


def test_a_test_split_alone_is_enough_to_evaluate_on() -> None:
    data = dataset([(0, 0)]).with_splits({"q0": "test"})
    assert splits.split(data, "auto", 1)[0] == data


def test_given_splits_that_are_not_there_are_refused() -> None:
    with pytest.raises(BadData, match="the data has no splits"):
        splits.split(dataset([(0, 0)]), "given", 1)


def test_weak_judgements_alone_are_not_divided() -> None:
    with pytest.raises(BadData, match="judge some queries by hand"):
        splits.split(dataset([], [(n, n) for n in range(40)]), "auto", 1)


def test_weak_pairs_never_touch_dev_or_test() -> None:
    data = dataset([(0, 0), (1, 1), (2, 2)], [(51, 9), (52, 9), (10, 82), (11, 81), (12, 0), (13, 9)])
    data = data.with_splits({"q0": "train", "q1": "dev", "q2": "test"})
    divided, how = splits.split(data, "given", 1)
    assert {(one.query, one.document) for one in divided.judgements if one.weak} == {("q12", "d0"), ("q13", "d9")}
    assert "; 4 weak judgements that touch dev or test were left out" in how
    assert divided.good("dev") == {"q1": {"d1"}}
    assert divided.good("test") == {"q2": {"d2"}}


def test_by_query_leaves_out_weak_pairs_by_their_query_alone() -> None:
    pairs = [(n, 0) for n in range(50)]
    divided, _ = splits.split(dataset(pairs, [(50, 9), (51, 0)]), "by-query", 1)
    for query, twin in (("q0", "q50"), ("q1", "q51")):
        kept = any(one.weak and one.query == twin for one in divided.judgements)
        assert kept == (divided.splits[query] == "train")
