"""How far two rankings agree: rank-biased overlap (Webber, Moffat and Zobel 2010, "A similarity measure for indefinite
rankings").

A reader looks at the first rank, and goes on from each rank to the next one with the probability `_PERSISTENCE`. The
measure is the share that the rankings have in common, as that reader sees it. The first ten ranks have 86% of the
weight.
"""

from collections.abc import Hashable, Sequence

_PERSISTENCE = 0.9


def rank_biased_overlap(one: Sequence[Hashable], other: Sequence[Hashable]) -> float:
    """Return the overlap of two rankings without repetitions, best first: 0 nothing in common, 1 the same ranking.

    The rankings are the beginnings of longer ones, which are taken to agree as far as the beginnings do (RBO-EXT,
    equation 32, for rankings of different lengths). An empty one has nothing in common with any other.
    """
    shorter, longer = sorted((one, other), key=len)
    if not shorter:
        return 0.0
    short, long = len(shorter), len(longer)
    overlaps = [len(set(shorter[:depth]) & set(longer[:depth])) for depth in range(1, long + 1)]
    in_short, in_long = overlaps[short - 1], overlaps[-1]
    weighted = sum(
        (overlap / depth + (in_short * (depth - short) / (short * depth) if depth > short else 0.0))
        * _PERSISTENCE**depth
        for depth, overlap in enumerate(overlaps, 1)
    )
    beyond = (in_long - in_short) / long + in_short / short
    return (1 - _PERSISTENCE) / _PERSISTENCE * weighted + beyond * _PERSISTENCE**long
