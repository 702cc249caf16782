"""The verdict on a pair of query and document, out of all that was said of it: readers count each pair once.

The first of these that says anything decides: the majority of people, what was sent, what users did, what a model made.
People who disagree evenly decide nothing, and then nothing else does. Feedback and clicks are added up by their
weights.
"""

from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import groupby

from service.corpus.judgements import DERIVED, Judgement, Source

_ORDER: Sequence[frozenset[Source]] = (
    frozenset({"person"}),
    frozenset({"sent"}),
    DERIVED,
    frozenset({"generated"}),
)


def verdicts(judgements: Iterable[Judgement], sources: Set[Source] | None = None) -> Iterator[Judgement]:
    """Yield one judgement for each pair, in the order of `judgements`, which have those of a pair beside each other.

    It is the heaviest and latest of those that say what was decided. With `sources`, it is what these decide, unless
    the others overrule it. Stale judgements count nowhere.
    """
    fresh = (judgement for judgement in judgements if not judgement.stale)
    for _, group in groupby(fresh, lambda judgement: judgement.pair):
        of_pair = list(group)
        verdict = _verdict(of_pair)
        if verdict is not None and sources is not None:
            of_sources = _verdict([judgement for judgement in of_pair if judgement.source in sources])
            verdict = of_sources if of_sources is not None and of_sources.good is verdict.good else None
        if verdict is not None:
            yield verdict


def _verdict(said: Sequence[Judgement]) -> Judgement | None:
    for sources in _ORDER:
        voices = [judgement for judgement in said if judgement.source in sources]
        if not voices:
            continue
        total = sum(judgement.weight if judgement.good else -judgement.weight for judgement in voices)
        # Weights that cancel each other out may leave a rounding error.
        if abs(total) < 1e-9:
            return None
        deciding = [judgement for judgement in voices if judgement.good is (total > 0)]
        first = max(deciding, key=_precedence)
        return first if sources != DERIVED else first.model_copy(update={"weight": min(1.0, abs(total))})
    return None


def _precedence(judgement: Judgement) -> tuple[float, float]:
    return judgement.weight, judgement.at.timestamp() if judgement.at is not None else 0.0
