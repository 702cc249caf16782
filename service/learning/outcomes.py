"""The outcome of one search: which of its results were clicked, which were skipped, and how long they were read."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.learning.base import Event, Shown

# The actions that change an outcome.
COUNTED = ("click", "dwell")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one result, as numbers to be added to its impressions."""

    clicked: int = 0
    skipped: int = 0
    dwelt: float = 0.0


NOTHING = Outcome()


def outcomes(results: Sequence[Shown], events: Iterable[Event]) -> Mapping[Shown, Outcome]:
    """Return the outcome of each result of a search, by all the events of that search."""
    clicked: set[str] = set()
    seconds: defaultdict[str, float] = defaultdict(float)
    for event in events:
        for document in event.documents:
            if event.action == "click":
                clicked.add(document)
            elif event.action == "dwell":
                seconds[document] += event.value or 0.0
    lowest = max((result.rank for result in results if result.document in clicked), default=0)
    return {
        result: Outcome(clicked=1, dwelt=seconds[result.document])
        if result.document in clicked
        else Outcome(skipped=int(result.rank < lowest))
        for result in results
    }


def differences(
    results: Sequence[Shown], before: Sequence[Event], after: Sequence[Event]
) -> list[tuple[Shown, Outcome]]:
    """Return what to add to the impressions of each result when the events of its search change."""
    former, latter = outcomes(results, before), outcomes(results, after)
    changes = [
        (
            result,
            Outcome(
                latter[result].clicked - former[result].clicked,
                latter[result].skipped - former[result].skipped,
                latter[result].dwelt - former[result].dwelt,
            ),
        )
        for result in former
    ]
    return [(result, change) for result, change in changes if change != NOTHING]
