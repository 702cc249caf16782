"""How sure a gain must be, by the number of test queries, and how large so that they show it.

The levels hold for p, which is exact for few clusters of queries, too: 5 of them cannot come below 0.05. The bootstrap
interval is too narrow for few clusters, and has no width for one. So p is asked for at every number, and no fewest
clusters are: many phrasings of some dozen answers can show a gain. Levels go by queries, since people look after
batches of these.
"""

from math import ceil, log2
from statistics import NormalDist

# The highest two-sided p of a gain with fewer test queries than that. Whoever judges on and looks
# after each batch has several chances to be misled. Looks at 60, 100, 150 and 250 queries add up to 4.5%, one-sided
# (Bonferroni); `make bench-looks` simulates these and others. No level shrinks beyond 250: those who look once would
# pay for those who look often, and nobody knows who does.
LEVELS = ((150, 0.01), (250, 0.02))
LAST_LEVEL = 0.05
# A difference of means below this is none: adding the same values in another order leaves one.
ROUNDING = 1e-9
_POWER = NormalDist().inv_cdf(0.8)


def level(queries: int) -> float:
    """The two-sided p up to which so many test queries show a gain."""
    return next((strict for most, strict in LEVELS if queries < most), LAST_LEVEL)


def fewest_clusters(p: float) -> int:
    """The fewest clusters of queries with which any gain has this two-sided p: so many halvings of 2."""
    return 1 + ceil(-log2(p))


def errors(p: float) -> float:
    """The standard errors that a gain must have, so that four of five tries show it at this two-sided p."""
    return _POWER + NormalDist().inv_cdf(1 - p / 2)


def shown(detectable: float, p: float) -> float:
    """The gain that is shown at `p` in four of five tries, where one of `detectable` is at the last level."""
    return detectable * errors(p) / errors(LAST_LEVEL)
