"""How far people agree who judged the same pairs: Krippendorff's alpha for nominal data.

The formula is that of Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C: 1 less the observed
disagreement by that expected by chance, over all values that can be paired. The package `krippendorff` wants a matrix
of people by pairs, which is nearly empty where each pair has two judges out of many.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from service.corpus.judgements import Judgement


@dataclass(frozen=True, slots=True)
class Agreement:
    """`pairs` were judged by several people, of whom there are `people`.

    `alpha` is 1 if they always agree and 0 if they agree as by chance. It is None if no pair was judged by several, or
    if all values are equal, because then chance would agree as well.
    """

    alpha: float | None
    pairs: int
    people: int


def agreement(judgements: Iterable[Judgement]) -> Agreement:
    """The agreement of the people among `judgements`, in the order of their keys. Stale ones are left out."""
    said = [judgement for judgement in judgements if judgement.source == "person" and not judgement.stale]
    by_pair = [list(of_pair) for _, of_pair in groupby(said, lambda judgement: judgement.pair)]
    several = [of_pair for of_pair in by_pair if len(of_pair) > 1]
    counts = [Counter(judgement.good for judgement in of_pair) for of_pair in several]
    people = {judgement.by for of_pair in several for judgement in of_pair}
    return Agreement(alpha(counts), len(several), len(people))


def alpha(units: Iterable[Counter[bool]]) -> float | None:
    """Krippendorff's alpha of units, each with the number of people who gave it each value, two at least."""
    values = Counter[bool]()
    disagreement = 0.0
    for unit in units:
        size = unit.total()
        values += unit
        disagreement += sum(count * (size - count) for count in unit.values()) / (size - 1)
    total = values.total()
    expected = sum(count * (total - count) for count in values.values())
    return 1 - (total - 1) * disagreement / expected if expected else None
