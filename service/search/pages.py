"""The pages of one search share their depths, so that each document is on one of them, and on no other.

A fusion, and a choice of results that differ, depend on how far down the parts of a search were looked at. So does a
search by vector, which walks further through a graph then. So the first results come from so many of each part,
whatever page is wanted, and cost no more than they have to. The others come from as many as any page may need.
"""

from service.search.fusion import Scored

# The least number of documents of each part that are fused, and from which different ones are chosen.
DEPTH = 100


def depths(end: int, reach: int, first: int = DEPTH) -> tuple[int, ...]:
    """Return how far down the parts are looked at for results up to `end`: for the `first` ones, and for the others.

    Those up to `DEPTH` have a depth of their own, which takes less than that of the others. `reach` is the end of the
    last page that there may be.
    """
    if end <= first:
        return (first,)
    if end <= DEPTH:
        return (first, DEPTH)
    return tuple(sorted({first, max(first, DEPTH), max(end, reach)}))


def continued(beginning: Scored, deeper: Scored) -> Scored:
    """Return `beginning`, and after it the other documents of `deeper` with no higher score than its last one."""
    if not beginning:
        return deeper
    seqs, lowest = {seq for seq, _ in beginning}, beginning[-1][1]
    return [*beginning, *((seq, min(score, lowest)) for seq, score in deeper if seq not in seqs)]
