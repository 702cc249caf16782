"""The queries of a comparison, with the documents that were judged for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trainer.data.dataset import Dataset, Split
from trainer.errors import BadData


@dataclass(frozen=True)
class JudgedQueries:
    """`ids` are the queries that have a good document, sorted. `good` and `bad` map a query to its documents."""

    dataset: Dataset
    ids: Sequence[str]
    good: Mapping[str, set[str]]
    bad: Mapping[str, set[str]]


def judged_queries(dataset: Dataset, split: Split) -> JudgedQueries:
    """The queries of a split. Raises BadData if none has a good document."""
    good = dataset.good(split)
    if not good:
        raise BadData(f"no query with a good document is in {split}: judge more queries, or choose another --split")
    return JudgedQueries(dataset, sorted(good), good, dataset.bad(split))
