"""Splits queries into train, dev (which chooses among models) and test.

Two queries are connected if their words are equal, or if equal texts are good for both. If each component of connected
queries stays in one split, no answer to a test query was trained on. This is too strict where the corpus is fixed and
only phrasings are new: there queries are divided by their words alone.
"""

import random
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace

from trainer.data.dataset import SPLITS, Dataset, Judgement, Split
from trainer.data.inspection import leak
from trainer.data.texts import asked, normalised
from trainer.errors import BadData
from trainer.recipe import SplitMode

Shares = tuple[float, float, float]

SHARES: Shares = (0.6, 0.2, 0.2)
# A split that gets less than this part of its share proves too little.
_LEAST = 0.5
_OTHER_WORDS = "judge more queries in other words"
_OTHER_ANSWERS = (
    "use --split by-query if the corpus is fixed and only phrasings are new, or judge more queries that have other"
    " answers"
)


def split(dataset: Dataset, mode: SplitMode, seed: int) -> tuple[Dataset, str]:
    """The data set with the split of each query that a person judged, and a sentence that says how.

    Weak judgements that share a query or a good document with dev or test are left out. `auto` takes the splits of the
    data, if it has any. Raises BadData if the queries cannot be divided in that way.
    """
    if not any(not judgement.weak for judgement in dataset.judgements):
        raise BadData("no judgement is by a person, and weak ones are never tested on: judge some queries by hand")
    flag = "" if mode == "auto" else f" (--split {mode})"
    if mode == "auto":
        mode = "given" if dataset.splits else "by-component"
    if mode == "given":
        divided, how = _given(dataset, seed)
    elif mode == "by-component":
        divided = by_component(dataset, seed)
        how = "questions with a common answer stay together, so that no answer to a test question is trained on"
    else:
        divided = by_query(dataset, seed)
        how = "questions with equal words stay together, so that test questions are new"
    safe = without_leaks(divided, passages=mode != "by-query")
    notes = [f"{how}{flag}: {_sizes(safe)}"]
    if mode == "by-query":
        notes.append(shared_answers([safe]))
    left_out = len(divided.judgements) - len(safe.judgements)
    if left_out:
        notes.append(f"{left_out:,} weak judgements that touch dev or test were left out")
    return safe, "; ".join(notes)


def by_component(dataset: Dataset, seed: int, shares: Shares = SHARES) -> Dataset:
    """Put whole components into one split. Raises BadData if they are too few or too large for the shares."""
    return dataset.with_splits(
        _divided(groups(dataset), seed, shares, "components of connected queries", _OTHER_ANSWERS)
    )


def groups(dataset: Dataset) -> list[list[str]]:
    """The queries that people judged, those of a component together."""
    component_of = components_of_people(dataset)
    return _grouped({query: component_of[query] for query in _judged(_human(dataset))})


def by_query(dataset: Dataset, seed: int, shares: Shares = SHARES) -> Dataset:
    """Put all queries of the same words into one split. Raises BadData if they are too few."""
    return dataset.with_splits(_divided(same_words(dataset), seed, shares, "different texts", _OTHER_WORDS))


def same_words(dataset: Dataset) -> list[list[str]]:
    """The queries that people judged, those of the same words together."""
    return _grouped({query: asked(dataset.queries[query]) for query in _judged(_human(dataset))})


def components(dataset: Dataset) -> dict[str, int]:
    """The number of every query's component: queries with equal words, or with equal good documents, share a number.

    Numbers depend on the ids alone, not on any order.
    """
    parents: dict[tuple[str, str], tuple[str, str]] = {}

    def root(node: tuple[str, str]) -> tuple[str, str]:
        parents.setdefault(node, node)
        while parents[node] != node:
            # Halving the path keeps this nearly linear (Tarjan and van Leeuwen 1984).
            parents[node] = parents[parents[node]]
            node = parents[node]
        return node

    nodes = {query: ("query", asked(text)) for query, text in dataset.queries.items()}
    passages: dict[str, str] = {}
    for judgement in dataset.judgements:
        if judgement.good:
            if judgement.document not in passages:
                passages[judgement.document] = normalised(dataset.corpus[judgement.document].passage)
            parents[root(nodes[judgement.query])] = root(("good", passages[judgement.document]))
    numbers: dict[tuple[str, str], int] = {}
    return {query: numbers.setdefault(root(nodes[query]), len(numbers)) for query in sorted(nodes)}


def components_of_people(dataset: Dataset) -> dict[str, int]:
    """The components by people's judgements alone. A weak one makes no two questions depend on each other, since nobody
    tests on it."""
    return components(_human(dataset))


def shared_answers(divided: Sequence[Dataset]) -> str:
    """How many of all test questions share an answer with questions that the model is made by, in words."""
    leaks = [leak(each, "test") for each in divided]
    shared, tested = sum(each.same_good for each in leaks), sum(each.of for each in leaks)
    return f"{shared:,} of {tested:,} test questions share an answer with questions of train or dev"


def _given(dataset: Dataset, seed: int) -> tuple[Dataset, str]:
    if not dataset.splits:
        raise BadData(
            "the data has no splits: leave out --split given, or name the files qrels/train.tsv, dev.tsv and test.tsv"
        )
    how = "the data divides the questions itself"
    present = set(dataset.splits.values())
    if "dev" not in present and "train" in present:
        dataset, unit = _with_dev(dataset, seed)
        how += f", and dev is cut from train, where {unit}"
    shared = leak(dataset, "test")
    if shared.queries:
        how += (
            f" (of {shared.of:,} test queries {shared.same_query:,} have their words and {shared.same_good:,} a good"
            " document in train or dev too)"
        )
    return dataset, how


def _with_dev(dataset: Dataset, seed: int) -> tuple[Dataset, str]:
    """Divide train into train and dev in the proportion of `SHARES`, by component if possible. Also says how."""
    train, dev, _ = SHARES
    shares = (train / (train + dev), dev / (train + dev), 0.0)
    trained = tuple(judgement for judgement in _human(dataset).judgements if dataset.splits[judgement.query] == "train")
    train_set = replace(dataset, judgements=trained)
    try:
        cut, unit = by_component(train_set, seed, shares), "questions with a common answer stay together"
    except BadData:
        cut, unit = by_query(train_set, seed, shares), "questions with equal words stay together"
    return dataset.with_splits({**dataset.splits, **cut.splits}), unit


def _human(dataset: Dataset) -> Dataset:
    return replace(dataset, judgements=tuple(judgement for judgement in dataset.judgements if not judgement.weak))


def _judged(dataset: Dataset) -> set[str]:
    return {judgement.query for judgement in dataset.judgements}


def _grouped(keys: Mapping[str, Hashable]) -> list[list[str]]:
    """The queries grouped by their keys, in an order that depends on their ids alone."""
    by_key: dict[Hashable, list[str]] = {}
    for query in sorted(keys):
        by_key.setdefault(keys[query], []).append(query)
    return list(by_key.values())


def _divided(
    together: Sequence[list[str]], seed: int, shares: Shares, groups_are: str, advice: str
) -> dict[str, Split]:
    """Assign whole groups, the largest first, to the split that stays least full with them (Graham 1969).

    Raises BadData, with the advice, if they are too few or too large.
    """
    order = list(together)
    random.Random(seed).shuffle(order)  # noqa: S311  (it has to repeat)
    order.sort(key=len, reverse=True)
    total = sum(map(len, order))
    sizes = dict.fromkeys(SPLITS, 0)
    # Among equally full splits the last is taken, so that a handful of queries reaches test.
    wanted = [(name, share) for name, share in zip(reversed(SPLITS), reversed(shares), strict=True) if share]
    splits: dict[str, Split] = {}
    for group in order:
        name = min(wanted, key=lambda split: (sizes[split[0]] + len(group)) / split[1])[0]
        sizes[name] += len(group)
        splits.update(dict.fromkeys(group, name))
    for name, share in wanted:
        if sizes[name] < _LEAST * share * total or not sizes[name]:
            raise BadData(
                f"{total:,} queries in {len(order):,} {groups_are}, the largest of {max(map(len, order), default=0):,},"
                f" leave {sizes[name]:,} for {name}: {advice}"
            )
    return splits


def without_leaks(dataset: Dataset, *, passages: bool = True) -> Dataset:
    """Leave out weak judgements whose query has the words of a query in dev or test.

    With `passages`, weak judgements of documents that are good in dev or test are left out, too.
    """
    queries, documents = set[str](), set[str]()
    for query, name in dataset.splits.items():
        if name != "train":
            queries.add(asked(dataset.queries[query]))
    if passages:
        for name in SPLITS[1:]:
            for good in dataset.good(name).values():
                documents.update(normalised(passage) for passage in dataset.passages(good))

    def leaks(judgement: Judgement) -> bool:
        if not judgement.weak:
            return False
        passage = dataset.corpus[judgement.document].passage
        return asked(dataset.queries[judgement.query]) in queries or normalised(passage) in documents

    return replace(dataset, judgements=tuple(judgement for judgement in dataset.judgements if not leaks(judgement)))


def _sizes(dataset: Dataset) -> str:
    counts = Counter(dataset.splits.values())
    return ", ".join(f"{name} {counts[name]:,}" for name in SPLITS)
