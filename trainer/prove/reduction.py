"""K-reduction, the point of tuning: fewer passages for equal recall, and the tokens that this saves per question."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from service import ranking
from trainer.prove.levels import ROUNDING

# The most passages that anybody would put into a prompt.
MOST = 20


class Reduction(BaseModel):
    """The tuned model has at `tuned_k` the `recall` that the base has at `base_k` (None: not within 20 passages).

    `tokens_saved` is a mean over queries: the tokens in the base's first `base_k` passages, less the tokens in the
    tuned model's first `tuned_k`.
    """

    model_config = ConfigDict(frozen=True)

    base_k: int
    recall: float
    tuned_k: int | None
    tokens_saved: float | None

    def describe(self) -> str:
        """The reduction as a sentence."""
        base = f"The base has a recall of {self.recall:.3f} with {self.base_k} passages"
        if self.tuned_k is None or self.tokens_saved is None:
            return f"{base}; the tuned model does not reach that with {MOST}."
        if self.tokens_saved >= 0:
            change = f"{self.tokens_saved:.0f} tokens less for each question"
        else:
            change = f"{-self.tokens_saved:.0f} tokens more for each question"
        return f"{base}; the tuned model needs {self.tuned_k}: {change}."


def recall_by_k(top: Mapping[str, Sequence[str]], good: Mapping[str, set[str]]) -> list[float]:
    """The mean recall over the queries in `good` at every K from 1 to 20. `top` has the first documents by query."""
    return [
        sum(ranking.recall(top[query], relevant, k) for query, relevant in good.items()) / len(good)
        for k in range(1, MOST + 1)
    ]


def reduce(
    base: Mapping[str, Sequence[str]],
    tuned: Mapping[str, Sequence[str]],
    good: Mapping[str, set[str]],
    tokens: Mapping[str, int],
    base_k: int,
) -> Reduction:
    """Compare the rankings of two models. `tokens` has the length of every document among their first 20."""
    wanted = recall_by_k(base, good)[base_k - 1]
    enough = (k for k, recall in enumerate(recall_by_k(tuned, good), 1) if recall >= wanted - ROUNDING)
    tuned_k = next(enough, None)

    def length(top: Mapping[str, Sequence[str]], k: int) -> int:
        return sum(tokens[document] for query in good for document in top[query][:k])

    saved = None if tuned_k is None else (length(base, base_k) - length(tuned, tuned_k)) / len(good)
    return Reduction(base_k=base_k, recall=wanted, tuned_k=tuned_k, tokens_saved=saved)
