"""Propensities: the chance that a result is looked at, by its rank.

A user looks at the second result less often than at the first, whatever the two are. How much less often is measured
where one document of one query stood at several ranks, because several generations ranked it: its relevance is equal
there, so the ranks alone explain why it was clicked more often at one than at another (intervention harvesting, Agarwal
et al. 2019). Every swap of a generation is such an experiment, and no result has to be shuffled for it.

A document that was shown n_k times at the rank k and got C clicks spreads them over its ranks like n_k p_k. Given C,
nothing is left to estimate but the propensities p. The most probable ones are found by a minorise-maximise step (Hunter
2004), which never worsens them.

Until there are enough experiments, the propensities lean on 1/rank, the curve that Joachims et al. (2017) assume. It
enters as one document more: shown equally often at each rank and clicked `PRIOR`/rank times there. So the estimate goes
from the curve to the measurement as clicks come, without a step. There are enough experiments at a rank when they weigh
more there than the curve: 50 clicks tell a share to some 15%, and users differ by more than that.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from service.learning.base import Impressions
from service.learning.columns import Columns, Floats, columns, sums
from service.learning.pairs import Integers

# Clicks at the first rank that the assumed curve counts for.
PRIOR = 50.0
_STEPS = 500
_CLOSE = 1e-7


@dataclass(frozen=True, slots=True)
class Propensities:
    """`chance` (ranks,) is the chance that a rank, from 1, is looked at: from above 0 to 1, as a share of the first's.

    `evidence` (ranks,) has the clicks that an experiment at each rank was worth: 0 where the curve alone speaks.
    """

    chance: Floats
    evidence: Floats

    def at(self, ranks: Integers) -> Floats:
        """The chances of these ranks. Beyond the last one they go on falling like 1/rank."""
        last = len(self.chance)
        chance: Floats = self.chance[np.minimum(ranks, last) - 1] * np.minimum(1, last / ranks)
        return chance

    @property
    def enough(self) -> bool:
        """Whether at the second rank the experiments say more than the assumed curve: no rank has them sooner."""
        return len(self.evidence) > 1 and bool(self.evidence[1] >= PRIOR / 2)


def assumed(ranks: int) -> Propensities:
    """The curve 1/rank, for as many ranks."""
    return Propensities(1 / np.arange(1.0, max(ranks, 1) + 1), np.zeros(max(ranks, 1)))


def estimate(impressions: Iterable[Impressions]) -> Propensities:
    """The propensities of all ranks that were shown, from what several generations showed at different ranks."""
    return harvest(columns(impressions))


def harvest(counts: Columns) -> Propensities:
    """`estimate`, of counts that are arrays already."""
    curve = assumed(int(counts.rank.max(initial=1)))
    rows = _experiments(counts)
    if not rows.any():
        return curve
    ranks = len(curve.chance)
    _, pair = np.unique(counts.pair[rows], return_inverse=True)
    rank, shown, clicked = counts.rank[rows] - 1, counts.shown[rows], counts.clicked[rows]
    clicks = sums(pair, clicked)
    prior = PRIOR * curve.chance
    at_rank = sums(rank, clicked, ranks) + prior
    chance = curve.chance
    for _ in range(_STEPS):
        per_look = clicks / sums(pair, shown * chance[rank])
        better = at_rank / (sums(rank, shown * per_look[pair], ranks) + prior.sum() / chance.sum())
        better /= better[0]
        change = np.abs(np.log(better / chance)).max()
        chance = better
        if change < _CLOSE:
            break
    looks = shown * chance[rank]
    share = looks / sums(pair, looks)[pair]
    # The information on the logarithm of a propensity: a document that is nearly always at one rank tells little.
    evidence = sums(rank, clicks[pair] * share * (1 - share), ranks)
    return Propensities(np.minimum(chance, 1), evidence)


def _experiments(counts: Columns) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """True for rows of documents that were clicked, and shown at several ranks by several generations."""

    def several(values: Integers) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        lowest = np.full(len(counts.pairs), np.iinfo(np.int64).max)
        highest = np.full(len(counts.pairs), np.iinfo(np.int64).min)
        np.minimum.at(lowest, counts.pair, values)
        np.maximum.at(highest, counts.pair, values)
        return lowest < highest

    clicked = counts.by_pair(counts.clicked) > 0
    fit = several(counts.rank) & several(counts.generation) & clicked
    return fit[counts.pair] & (counts.shown > 0)
