"""Judgements out of what users did. Deriving is a pure function, so it can be done again at any time."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import copysign

import numpy as np

from service.learning.base import Derived, Event, Impressions
from service.learning.clicks import Clickers, gather, weigh
from service.learning.columns import Pair, columns
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
    votes, clickers = Votes(), Clickers()
    for event in events:
        if event.action == "click":
            clickers.take(event)
        else:
            votes.take(event)
    said = votes.weights()
    clicked = _clicked(clickers, impressions, rules, propensities)
    judgements = list[Derived]()
    for pair in sorted(said.keys() | clicked.keys()):
        by_feedback, by_clicks = said.get(pair, 0.0), clicked.get(pair, 0.0)
        if by_feedback * by_clicks < 0:
            # What was said leads, and never turns into its contrary.
            by_feedback = copysign(max(abs(by_feedback) - abs(by_clicks), 0), by_feedback)
            by_clicks = 0.0
        if abs(by_feedback) >= rules.weight:
            judgements.append(Derived(*pair, by_feedback > 0, abs(by_feedback), "feedback"))
        if abs(by_clicks) >= rules.weight:
            judgements.append(Derived(*pair, by_clicks > 0, abs(by_clicks), "click"))
    return judgements


def _clicked(
    clickers: Clickers, impressions: Iterable[Impressions], rules: Rules, propensities: Propensities | None
) -> dict[Pair, float]:
    """The weight of each pair that was shown often enough: above 0 for good, below 0 for bad."""
    counts = clickers.capped(columns(impressions), rules.searches)
    if not counts.pairs:
        return {}
    evidence = gather(counts, propensities or harvest(counts))
    weights = weigh(counts, evidence)
    often = counts.by_pair(counts.shown) >= rules.impressions
    return {counts.pairs[index]: float(weights[index]) for index in np.flatnonzero(often)}
