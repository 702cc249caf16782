"""Training rows: good is good, bad is bad, and every loss gets the columns that it reads."""

from dataclasses import replace

import pytest

from tests.support import judged
from trainer.errors import BadData
from trainer.prepare import rows


def test_a_bad_document_is_never_a_positive() -> None:
    data = judged.dataset()
    made = rows.tuples(data, judged.components(data), {}, negatives=1, seed=0)
    bad = {data.corpus[f"bad{n}"].passage for n in range(24)}
    assert not bad & set(made.columns["positive"])
    assert list(made.columns) == ["anchor", "positive", "negative_1"]
    assert not made.labels


def test_a_judged_negative_stands_beside_its_own_query() -> None:
    data = judged.dataset()
    made = rows.tuples(data, judged.components(data), {}, negatives=1, seed=0)
    for anchor, positive, negative in zip(*made.columns.values(), strict=True):
        thing = anchor.rpartition(" ")[2].rstrip("?")
        assert thing in positive
        assert negative == f"Nothing here but the price of a {thing}."


def test_mined_negatives_come_after_the_judged_and_others_fill_up() -> None:
    data = judged.dataset()
    made = rows.tuples(data, judged.components(data), {("q0", "good0"): ["good9"]}, negatives=3, seed=0)
    place = made.columns["anchor"].index(data.queries["q0"])
    assert made.columns["negative_1"][place] == data.corpus["bad0"].passage
    assert made.columns["negative_2"][place] == data.corpus["good9"].passage
    for anchor, positive, *negatives in zip(*made.columns.values(), strict=True):
        assert len({positive, *negatives}) == 4, anchor


def test_only_training_queries_are_trained_on() -> None:
    data = judged.dataset()
    trained = {data.queries[query] for query, split in data.splits.items() if split == "train"}
    for made in (
        rows.tuples(data, judged.components(data), {}, negatives=2, seed=0),
        rows.pairs(data, judged.components(data), {}, negatives=2),
    ):
        assert set(made.columns["anchor"]) == trained


def test_pairs_have_labels_of_exactly_zero_and_one() -> None:
    data = judged.dataset()
    made = rows.pairs(data, judged.components(data), {}, negatives=1)
    assert list(made.columns) == ["anchor", "document"]
    for document, label in zip(made.columns["document"], made.labels, strict=True):
        assert label == (1.0 if document.startswith("Everything") else 0.0)


def test_pairs_of_one_label_are_refused() -> None:
    data = judged.dataset(bad=False)
    with pytest.raises(BadData, match="multiple-negatives"):
        rows.pairs(data, judged.components(data), {}, negatives=1)


def test_a_corpus_too_small_for_the_negatives_is_refused() -> None:
    data = judged.dataset(6)
    with pytest.raises(BadData, match="--negatives"):
        rows.tuples(data, judged.components(data), {}, negatives=12, seed=0)


def test_rows_repeat_with_their_seed() -> None:
    data = judged.dataset()
    first, same, other = (rows.tuples(data, judged.components(data), {}, negatives=4, seed=seed) for seed in (1, 1, 2))
    assert first == same
    assert first != other


def test_rows_have_the_weights_of_their_judgements_and_mined_negatives_count_whole() -> None:
    data = judged.dataset()
    assert rows.pairs(data, judged.components(data), {}, negatives=1).weights == ()
    weights = {"good0": 0.5, "bad0": 0.25}
    light = replace(
        data, judgements=tuple(replace(one, weight=weights.get(one.document, 1.0)) for one in data.judgements)
    )
    tuples = rows.tuples(light, judged.components(light), {}, negatives=1, seed=0)
    by_document = dict(zip(tuples.columns["positive"], tuples.weights, strict=True))
    assert by_document[data.corpus["good0"].passage] == 0.5
    assert sorted(tuples.weights)[:2] == [0.5, 1.0]
    mined = {("q0", "good0"): ["good9"]}
    pairs = rows.pairs(light, judged.components(light), mined, negatives=2)
    of_query = [row for row, query in enumerate(pairs.columns["anchor"]) if query == data.queries["q0"]]
    assert {pairs.columns["document"][row]: (pairs.labels[row], pairs.weights[row]) for row in of_query} == {
        data.corpus["good0"].passage: (1.0, 0.5),
        data.corpus["bad0"].passage: (0.0, 0.25),
        data.corpus["good9"].passage: (0.0, 1.0),
    }
