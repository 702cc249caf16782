"""Judgements out of what users did. Deriving is a pure function, so it can be done again at any time."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from service.learning.base import Derived, Event, Impressions
from service.learning.clicks import Clickers, gather, weigh
from service.learning.columns import Columns, Floats, ImpressionTable
from service.learning.pairs import Pairs
from service.learning.propensity import Propensities, harvest
from service.learning.votes import Votes


@dataclass(frozen=True, slots=True)
class Rules:
    """From when on clicks judge a document, and from which weight on a judgement is given.

    `impressions`: how often a pair has to have been shown. `searches`: of so many searches of one user, or else of one
    session, the clicks count for a pair. `weight`: judgements below it are not given.
    """

    impressions: int = 10
    searches: int = 3
    weight: float = 0.15


def derive(
    events: Iterable[Event],
    impressions: Iterable[Impressions],
    rules: Rules | None = None,
    propensities: Propensities | None = None,
) -> list[Derived]:
    """The judgements that follow from all events and all impressions, sorted by collection, query and document.

    A pair may have one from `feedback` and one from `click`. If the two contradict each other, the one from `feedback`
    stands, with the weight that the other leaves it. Neither the order of events and impressions nor a repeated event
    changes anything. `propensities` are estimated from the impressions unless they are known.
    """
    rules = rules or Rules()
    pairs = Pairs()
    votes, clickers = Votes(pairs), Clickers(pairs)
    for event in events:
        if event.action == "click":
            clickers.take(event)
        else:
            votes.take(event)
    table = ImpressionTable(pairs, impressions)
    names, index = pairs.in_order()
    by_feedback = np.zeros(len(names))
    by_feedback[index] = votes.weights()
    counts = clickers.capped(table.columns(names, index), index, rules.searches)
    by_clicks = _clicked(counts, rules, propensities)
    # What was said leads, and never turns into its contrary.
    contrary = by_feedback * by_clicks < 0
    by_feedback -= np.where(contrary, np.sign(by_feedback) * np.minimum(abs(by_feedback), abs(by_clicks)), 0)
    by_clicks[contrary] = 0
    weights: dict[Literal["feedback", "click"], Floats] = {"feedback": by_feedback, "click": by_clicks}
    return [
        Derived(*names[number], bool(weight[number] > 0), float(abs(weight[number])), source)
        for number in np.flatnonzero((abs(by_feedback) >= rules.weight) | (abs(by_clicks) >= rules.weight))
        for source, weight in weights.items()
        if abs(weight[number]) >= rules.weight
    ]


def _clicked(counts: Columns, rules: Rules, propensities: Propensities | None) -> Floats:
    """The weight of each pair, above 0 for good and below 0 for bad; 0 if it was not shown often enough, (pairs,)."""
    if not len(counts.pair):
        return np.zeros(len(counts.pairs))
    evidence = gather(counts, propensities or harvest(counts))
    often = counts.by_pair(counts.shown) >= rules.impressions
    return np.where(often, weigh(counts, evidence), 0)
