"""Training rows made from judgements: the columns that a loss reads, in its order.

Tuple losses get (anchor, positive, negative_1, ...) and no label, so that no bad document can become a positive. Pair
losses get (anchor, document, label) with labels of exactly 0 and 1. sentence-transformers takes columns by their order
and not by their names.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trainer.data.dataset import Dataset
from trainer.errors import BadData
from trainer.prepare.mining import Mined


@dataclass(frozen=True)
class Rows:
    """`columns` maps the name of a column to its texts. `labels` has 0 or 1 for every row, or is empty.

    `groups` has a number for every row. Rows of one group may answer each other's queries, so they must not be
    negatives of each other. `weights` has a number above 0 and up to 1 for every row, or is empty if all are 1.
    """

    columns: Mapping[str, Sequence[str]]
    labels: Sequence[float]
    groups: Sequence[int]
    weights: Sequence[float] = ()

    def __len__(self) -> int:
        return len(self.groups)


def tuples(dataset: Dataset, components: Mapping[str, int], mined: Mined, *, negatives: int, seed: int) -> Rows:
    """One row for each good document of a training query, with `negatives` documents that are not good for it.

    Documents judged bad come first, then the mined ones, hardest first. Random documents of the corpus fill the rest,
    because all rows need an equal number of columns. Raises BadData if the corpus is too small or a single row is left.
    """
    good, bad = dataset.good("train"), dataset.bad("train")
    ids = sorted(dataset.corpus)
    pick = random.Random(seed)  # noqa: S311  (it has to repeat)
    names = ["anchor", "positive", *(f"negative_{number + 1}" for number in range(negatives))]
    columns: dict[str, list[str]] = {name: [] for name in names}
    groups = []
    known, weights = dataset.weights(), list[float]()
    for query in sorted(good):
        texts = {dataset.corpus[document].passage for document in good[query]}
        for document in sorted(good[query]):
            hard = [*_shuffled(bad.get(query, set()) - good[query], pick), *mined.get((query, document), ())]
            chosen = _distinct(dataset.passages(hard), texts, negatives)
            chosen += _any(dataset, ids, pick, {*texts, *chosen}, negatives - len(chosen))
            columns["anchor"].append(dataset.queries[query])
            columns["positive"].append(dataset.corpus[document].passage)
            for number, text in enumerate(chosen):
                columns[f"negative_{number + 1}"].append(text)
            groups.append(components[query])
            weights.append(known.get((query, document), 1.0))
    return _checked(Rows(columns, [], groups, weights if known else ()))


def pairs(dataset: Dataset, components: Mapping[str, int], mined: Mined, *, negatives: int) -> Rows:
    """One row for each judgement of a training query, with label 1 for good and 0 for bad.

    Mined negatives are added as bad, up to `negatives` bad documents for each good one. Raises BadData if all labels
    are equal, or if a single row is left.
    """
    good, bad = dataset.good("train"), dataset.bad("train")
    columns: dict[str, list[str]] = {"anchor": [], "document": []}
    labels: list[float] = []
    groups: list[int] = []
    known, weights = dataset.weights(), list[float]()
    for query in sorted({*good, *bad}):
        of_texts = _weights_of_texts(dataset, known, query, good.get(query, set()) | bad.get(query, set()))
        texts = {dataset.corpus[document].passage for document in good.get(query, ())}
        judged = dataset.passages(sorted(bad.get(query, set()) - good.get(query, set())))
        wanted = max(len(judged), negatives * len(texts))
        near = [negative for document in sorted(good.get(query, ())) for negative in mined.get((query, document), ())]
        hard = _distinct([*judged, *dataset.passages(near)], texts, wanted)
        for text, label in [*((text, 1.0) for text in sorted(texts)), *((text, 0.0) for text in hard)]:
            columns["anchor"].append(dataset.queries[query])
            columns["document"].append(text)
            labels.append(label)
            groups.append(components[query])
            weights.append(of_texts.get(text, 1.0))
    if len(set(labels)) == 1:
        raise BadData(
            "every judgement has the same label, and a loss on labelled pairs needs both labels: use --loss"
            " multiple-negatives, or mine hard negatives (--mine)"
        )
    return _checked(Rows(columns, labels, groups, weights if known else ()))


def _weights_of_texts(
    dataset: Dataset, known: Mapping[tuple[str, str], float], query: str, judged: set[str]
) -> dict[str, float]:
    """The weight of each text that was judged for the query: the highest, if documents share a text."""
    weights: dict[str, float] = {}
    for document in judged if known else ():
        text = dataset.corpus[document].passage
        weights[text] = max(weights.get(text, 0.0), known.get((query, document), 1.0))
    return weights


def _any(dataset: Dataset, ids: list[str], pick: random.Random, taken: set[str], count: int) -> list[str]:
    """`count` passages of the corpus that are not taken."""
    if not count:
        return []
    # A few draws usually suffice. If not, the whole corpus is shuffled.
    for size in (4 * (count + len(taken)), len(ids)):
        drawn = pick.sample(ids, min(size, len(ids)))
        passages = _distinct(dataset.passages(drawn), taken, count)
        if len(passages) == count:
            return passages
    raise BadData(
        f"the corpus has {len(ids)} documents, too few to find {count} more that are not good for a query: give the"
        " whole corpus, or set --negatives lower"
    )


def _shuffled(ids: set[str], pick: random.Random) -> list[str]:
    return pick.sample(sorted(ids), len(ids))


def _distinct(texts: Sequence[str], taken: set[str], limit: int) -> list[str]:
    """The first `limit` texts that are neither taken nor repeated."""
    return [text for text in dict.fromkeys(texts) if text not in taken][:limit]


def _checked(rows: Rows) -> Rows:
    if len(rows) < 2:
        raise BadData(
            f"{len(rows)} rows are too few to train on: judge more queries, or see what inspect says of the data"
        )
    return rows
