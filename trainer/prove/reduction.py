"""K-reduction, the point of tuning: fewer passages for the same recall, and the tokens that saves per question."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from service import ranking

# Passages that anybody would put into a prompt.
MOST = 20


class Reduction(BaseModel):
    """The tuned model reaches at `tuned_k` the `recall` that the base has at `base_k`; None: not within 20 passages.

    `tokens_saved` is the mean over queries of the tokens in the base's first `base_k` passages less those in the tuned
    model's first `tuned_k`.
    """

    model_config = ConfigDict(frozen=True)

    base_k: int
    recall: float
    tuned_k: int | None
    tokens_saved: float | None


def recall_by_k(found: Mapping[str, Sequence[str]], good: Mapping[str, set[str]]) -> list[float]:
    """Mean recall of the queries in `good` at every K from 1 to 20."""
    return [
        sum(ranking.recall(found[query], relevant, k) for query, relevant in good.items()) / len(good)
        for k in range(1, MOST + 1)
    ]


def reduce(
    base: Mapping[str, Sequence[str]],
    tuned: Mapping[str, Sequence[str]],
    good: Mapping[str, set[str]],
    tokens: Mapping[str, int],
    base_k: int,
) -> Reduction:
    """Compare rankings of the same queries; `tokens` has the length of every document among their first 20."""
    wanted = recall_by_k(base, good)[base_k - 1]
    reached = (k for k, recall in enumerate(recall_by_k(tuned, good), 1) if recall >= wanted - 1e-12)
    tuned_k = next(reached, None)
    saved = None
    if tuned_k is not None:
        lengths = [
            sum(tokens[document] for document in found[query][:k])
            for found, k in ((base, base_k), (tuned, tuned_k))
            for query in good
        ]
        saved = (sum(lengths[: len(good)]) - sum(lengths[len(good) :])) / len(good)
    return Reduction(base_k=base_k, recall=wanted, tuned_k=tuned_k, tokens_saved=saved)
