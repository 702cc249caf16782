"""The word of clicks on documents, once the rank at which these stood is allowed for.

Each pair has clicks and looks: how often users looked at it, by the best that is known. Who clicked looked; who clicked
further down and not here probably looked (Joachims et al. 2005); of all others, as many looked as the propensity of the
rank leaves over. Useful documents get more clicks for a look than useless ones. The middle between the two parts good
from bad: a pair is expected to get as many clicks as the middle times its looks. With more it is good, with fewer bad,
by (clicks - expected) / (clicks + expected + 2). That figure lies between -1 and 1. It is near 0 while there are few
clicks, and also while there are many, if they are as many as the rank explains.
"""

from array import array
from dataclasses import dataclass, replace

import numpy as np

from service.learning.base import Event
from service.learning.columns import Columns, Floats, as_array, sums
from service.learning.outcomes import FULL_VISIT
from service.learning.pairs import Integers, Pairs
from service.learning.propensity import Propensities
from service.learning.voices import voice_of

# How much of the doubt whether somebody looked a click further down takes away.
_SKIP_SEEN = 0.5
# A full visit counts as a click, one of no time for this share of it.
_SHORTEST_VISIT = 0.1
# Clicks and expected clicks, together, that say as much as having seen none.
_DOUBT = 2.0
# Looks up to which a pair counts in the mean of its collection, so that no popular query sets it alone.
_LOOKS_IN_MEAN = 10.0
# Looks by which a collection's mean leans on the mean of all.
_LOOKS_OF_ALL = 50.0
# No click says less than a click does: perhaps the text that the search showed was enough.
_ABSENCE = 0.5
_SPLITS = 20


class Clickers:
    """Takes events of clicks on results of a search, to tell how many of them each voice made.

    A click without the id of a search has no rank, so nothing can be said of it.
    """

    def __init__(self, pairs: Pairs) -> None:
        self._pairs = pairs
        # Pair, voice and search of each click, the last two as hashes.
        self._clicks = array("q")

    def take(self, event: Event) -> None:
        if event.search is not None:
            voice, search = hash(voice_of(event)), hash(event.search)
            for document in event.documents:
                pair = self._pairs.number(event.collection, event.query, document)
                self._clicks.extend((pair, voice, search))

    def capped(self, counts: Columns, index: Integers, most: int) -> Columns:
        """The counts without what any voice did in more than `most` searches: neither clicks there nor skips.

        `index` has the place in `counts.pairs` of each pair's number.
        """
        pair, voice, search = as_array(self._clicks).reshape(-1, 3).T
        pair = index[pair]
        clicks_kept = _shares(len(counts.pairs), most, pair, voice, search)[counts.pair]
        skips_kept = _shares(len(counts.pairs), most, counts.query[pair], voice, search)[counts.query[counts.pair]]
        dropped = counts.clicked * (1 - clicks_kept) + counts.skipped * (1 - skips_kept)
        return replace(
            counts,
            shown=np.maximum(counts.shown - dropped, 0),
            clicked=counts.clicked * clicks_kept,
            skipped=counts.skipped * skips_kept,
            dwelt=counts.dwelt * clicks_kept,
        )


def _shares(size: int, most: int, thing: Integers, voice: Integers, search: Integers) -> Floats:
    """The share of the clicks on each thing that is left when no voice has more than `most`, (size,).

    Several clicks of one voice on one thing in one search are one.
    """
    order = np.lexsort((search, voice, thing))
    thing, voice, search = thing[order], voice[order], search[order]
    new_voice, new_search = np.ones((2, len(thing)), dtype=bool)
    new_voice[1:] = (thing[1:] != thing[:-1]) | (voice[1:] != voice[:-1])
    new_search[1:] = new_voice[1:] | (search[1:] != search[:-1])
    clicks = np.bincount(np.cumsum(new_voice)[new_search] - 1).astype(np.float64)
    clicked = thing[new_voice]
    everything, left = sums(clicked, clicks, size), sums(clicked, np.minimum(clicks, most), size)
    return np.where(everything > 0, left / np.maximum(everything, 1), 1.0)


@dataclass(frozen=True, slots=True)
class ClickEvidence:
    """The clicks of each pair, each between 0 and 1 by its dwell, and its looks: (pairs,) each."""

    clicks: Floats
    looks: Floats


def gather(counts: Columns, propensities: Propensities) -> ClickEvidence:
    """The clicks and the looks of every pair."""
    clicks = _valued(counts)
    chance = propensities.at(counts.rank)
    skips = counts.skipped * (chance + (1 - chance) * _SKIP_SEEN)
    others = np.maximum(counts.shown - clicks - counts.skipped, 0)
    # Who neither clicked nor skipped looked with the chance that is left, which is one for each rank.
    left = sums(counts.rank, chance * counts.shown - clicks - skips)
    of_others = sums(counts.rank, others)
    chance_of_others = np.clip(left / np.maximum(of_others, 1e-9), 0, 1)
    looks = clicks + skips + others * chance_of_others[counts.rank]
    return ClickEvidence(counts.by_pair(clicks), counts.by_pair(looks))


def _valued(counts: Columns) -> Floats:
    """The clicks of each row by their visits: a short visit is a part of a click, and its rest as if there was none.

    Where no time is known, clicks count in full: few clients measure it.
    """
    full = np.minimum(counts.clicked, counts.dwelt / FULL_VISIT)
    timed = _SHORTEST_VISIT * counts.clicked + (1 - _SHORTEST_VISIT) * full
    return np.where(counts.dwelt > 0, timed, counts.clicked)


def weigh(counts: Columns, evidence: ClickEvidence) -> Floats:
    """The weight of each pair, (pairs,), from -1 to 1: above 0 for good, below 0 for bad.

    It is 0 for all documents of a query of which nobody clicked any: its users may not click at all.
    """
    expected = evidence.looks * _clicks_per_look(counts, evidence)
    weight = (evidence.clicks - expected) / (evidence.clicks + expected + _DOUBT)
    clicked = sums(counts.query, evidence.clicks) > 0
    return np.where(clicked[counts.query], np.where(weight < 0, weight * _ABSENCE, weight), 0)


def _clicks_per_look(counts: Columns, evidence: ClickEvidence) -> Floats:
    """The clicks for a look that part good from bad, for the collection of each pair, (pairs,)."""
    part = np.minimum(1, _LOOKS_IN_MEAN / np.maximum(evidence.looks, 1e-9))
    clicks, looks = evidence.clicks * part, evidence.looks * part
    of_all = clicks.sum() / max(looks.sum(), 1e-9)
    clicks_there = sums(counts.collection, clicks) + _LOOKS_OF_ALL * of_all
    looks_there = sums(counts.collection, looks) + _LOOKS_OF_ALL
    mean: Floats = (clicks_there / looks_there)[counts.collection]
    # Each pair's clicks for a look, as a multiple of the mean, which few looks move little.
    multiple = (clicks / np.maximum(mean, 1e-9) + _DOUBT) / (looks + _DOUBT)
    return mean * _middle(multiple, looks)


def _middle(values: Floats, weights: Floats) -> float:
    """The value halfway between the mean of the values above it and that of those below (Ridler and Calvard 1978)."""
    middle = float(np.average(values, weights=weights)) if weights.sum() > 0 else 1.0
    for _ in range(_SPLITS):
        halves = [half for half in (values > middle, values <= middle) if weights[half].sum() > 0]
        middle = float(np.mean([np.average(values[half], weights=weights[half]) for half in halves] or middle))
    return middle
