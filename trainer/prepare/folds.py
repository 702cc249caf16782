"""Folds: each question is tested once, by a model that was trained without it and without its answers.

With few judged questions one split leaves too few to test on. Cross-validation (Stone 1974) tests on all of them, for
the price of a training for each fold. It measures the procedure; the package is then trained on all questions, so it
is rather better than what was measured.
"""

import random
from collections.abc import Sequence
from dataclasses import replace

from trainer.data.dataset import Dataset, Split
from trainer.errors import BadData
from trainer.prepare import splits

# So many are made where nobody says how many.
USUAL = 5
# Train and dev of what is not tested.
_SHARES: splits.Shares = (0.75, 0.25, 0.0)


def folds(dataset: Dataset, count: int, seed: int) -> list[Dataset]:
    """The data set `count` times, each with another part of the judged queries as its test split.

    Queries that share an answer are in one part. Raises BadData if there are fewer groups of such queries than parts.
    """
    groups = splits.groups(dataset)
    if len(groups) < count:
        raise BadData(
            f"{len(groups)} groups of queries that share no answer cannot be divided into {count} folds: judge queries"
            " with other answers, or give fewer --folds"
        )
    order = list(groups)
    random.Random(seed).shuffle(order)  # noqa: S311  (it has to repeat)
    order.sort(key=len, reverse=True)
    parts: list[list[str]] = [[] for _ in range(count)]
    for group in order:
        min(parts, key=len).extend(group)
    return [splits.without_leaks(_divided(dataset, part, seed)) for part in parts]


def whole(dataset: Dataset, seed: int) -> Dataset:
    """The data set with all judged queries in train and dev, for the model that is packaged."""
    return splits.without_leaks(_divided(dataset, [], seed))


def tested(dataset: Dataset, divided: Sequence[Dataset]) -> Dataset:
    """The data set with the queries of all folds as its test split."""
    names: dict[str, Split] = {
        query: "test" for fold in divided for query, split in fold.splits.items() if split == "test"
    }
    return dataset.with_splits(names)


def _divided(dataset: Dataset, test: Sequence[str], seed: int) -> Dataset:
    names = set(test)
    rest = replace(
        dataset, judgements=tuple(judgement for judgement in dataset.judgements if judgement.query not in names)
    )
    try:
        cut = splits.by_component(rest, seed, _SHARES)
    except BadData:
        cut = splits.by_query(rest, seed, _SHARES)
    tested_on: dict[str, Split] = dict.fromkeys(test, "test")
    return dataset.with_splits({**cut.splits, **tested_on})
