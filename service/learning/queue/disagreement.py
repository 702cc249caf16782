"""Disagreement: people say opposite things of a passage, as many good as bad, so that nobody's word decides."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from service.corpus.judgements import Judgement, Pair


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A question with the documents of which people say opposite things."""

    collection: str
    query: str
    documents: Sequence[str]


def by_question(pairs: Iterable[Pair]) -> list[Disagreement]:
    """Return the pairs as questions, in the order of the first pair of each."""
    documents: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for collection, query, document in pairs:
        documents[collection, query].append(document)
    return [Disagreement(*question, of_question) for question, of_question in documents.items()]


def disagree(said: Sequence[Judgement]) -> bool:
    """Say whether several people have judged a passage, and as many call it good as bad."""
    good = sum(judgement.good for judgement in said)
    return 0 < good == len(said) - good and len({judgement.by for judgement in said}) > 1


def waits_for(said: Sequence[Judgement], by: str | None) -> bool:
    """Say whether a passage of which people disagree waits for the person `by`; None: for anybody.

    It waits for whoever has not judged it, and for a person whom somebody has contradicted later.
    """
    former = [judgement for judgement in said if judgement.by == by]
    if by is None or not former:
        return True
    latest = max(former, key=_said_at)
    return any(_said_at(judgement) > _said_at(latest) for judgement in said if judgement.good is not latest.good)


def _said_at(judgement: Judgement) -> float:
    """Seconds since 1970; a judgement whose time is not known is older than all others."""
    return 0.0 if judgement.at is None else judgement.at.timestamp()
