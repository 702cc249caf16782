"""Folds: each question is tested once, by a model that was trained without it.

That model was trained without its answers, too, unless queries are divided by their words alone.

With few judged questions one split leaves too few to test on. Cross-validation (Stone 1974) tests on all of them, for
the price of a training for each fold. It measures the procedure; the package is then trained on all questions, so it
is rather better than what was measured.
"""

import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from trainer.data.dataset import Dataset, Split
from trainer.errors import BadData
from trainer.prepare import splits
from trainer.recipe import SplitMode

# So many are made where nobody says how many.
USUAL = 5
# Train and dev of what is not tested.
_SHARES: splits.Shares = (0.75, 0.25, 0.0)


def groups(dataset: Dataset, mode: SplitMode) -> list[list[str]]:
    """The judged queries, with those together that no fold may part."""
    return splits.same_words(dataset) if mode == "by-query" else splits.groups(dataset)


def folds(dataset: Dataset, count: int, mode: SplitMode, seed: int) -> list[Dataset]:
    """The data set `count` times, each with another part of the judged queries as its test split.

    Queries that share an answer are in one part, or with `by-query` those of the same words. Raises BadData if
    there are fewer groups of such queries than parts.
    """
    order = groups(dataset, mode)
    if len(order) < count:
        shared, other = ("words", " in other words") if mode == "by-query" else ("answer", " with other answers")
        raise BadData(
            f"{len(order)} groups of queries that share no {shared} cannot be divided into {count} folds: judge"
            f" queries{other}, or give fewer --folds"
        )
    random.Random(seed).shuffle(order)  # noqa: S311  (it has to repeat)
    order.sort(key=len, reverse=True)
    parts: list[list[str]] = [[] for _ in range(count)]
    for group in order:
        min(parts, key=len).extend(group)
    return [_divided(dataset, part, mode, seed) for part in parts]


def whole(dataset: Dataset, mode: SplitMode, seed: int) -> Dataset:
    """The data set with all judged queries in train and dev, for the model that is packaged."""
    return _divided(dataset, [], mode, seed)


def tested(dataset: Dataset, divided: Sequence[Dataset]) -> Dataset:
    """The data set with the queries of all folds as its test split."""
    names: dict[str, Split] = {
        query: "test" for fold in divided for query, split in fold.splits.items() if split == "test"
    }
    return dataset.with_splits(names)


def _divided(dataset: Dataset, test: Sequence[str], mode: SplitMode, seed: int) -> Dataset:
    names = set(test)
    rest = replace(
        dataset, judgements=tuple(judgement for judgement in dataset.judgements if judgement.query not in names)
    )
    tested_on: dict[str, Split] = dict.fromkeys(test, "test")
    divided = dataset.with_splits({**_rest(rest, mode, seed).splits, **tested_on})
    return splits.without_leaks(divided, passages=mode != "by-query")


def _rest(dataset: Dataset, mode: SplitMode, seed: int) -> Dataset:
    """Train and dev."""
    if mode != "by-query":
        with suppress(BadData):
            return splits.by_component(dataset, seed, _SHARES)
    return splits.by_query(dataset, seed, _SHARES)
