"""Puts what was derived from events into the place where judgements are."""

from collections.abc import Iterable
from heapq import nlargest

from service.corpus.judgements import DERIVED, Judgement, Judgements, Outcome
from service.learning.base import Derived


def keep_derived(derived: Iterable[Derived], judgements: Judgements, most: int) -> Outcome:
    """Put the derived judgements in place of all former ones, the `most` of the greatest weight if there are more.

    A pair that was derived before belongs to the text that it belonged to then.
    """
    # The cursors of pages separate the parts of a key by U+0000, which no request may have in a judgement.
    usable = (one for one in derived if "\0" not in one.query + one.document)
    heaviest = nlargest(most, usable, key=lambda one: one.weight)
    return judgements.replace(
        [
            Judgement(
                query=one.query,
                document=one.document,
                good=one.good,
                collection=one.collection,
                source=one.source,
                weight=one.weight,
            )
            for one in heaviest
        ],
        sources=DERIVED,
    )
