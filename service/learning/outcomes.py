"""The outcome of searches: which of their results were clicked, which were skipped, and how long they were read.

The results of a search that another system has answered may be known from events of `impression` alone, one for each
document that came into view, with its place in the list as `value`. Some systems count places from 0, others from 1.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.learning.base import MOST_RESULTS, Event, Impressions, LoggedSearch, Shown

# A visit of so many seconds says all that a visit can say (Fox et al. 2005 took 30 for a satisfied user). A longer one
# is no second visit, and a page that stays open all day is not even a long one.
FULL_VISIT = 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one result, as numbers that can be added up."""

    clicked: int = 0
    skipped: int = 0
    dwelt: float = 0.0


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
        result: Outcome(clicked=1, dwelt=min(seconds[result.document], FULL_VISIT))
        if result.document in clicked
        else Outcome(skipped=int(result.rank < lowest))
        for result in results
    }


class Tally:
    """Adds up the impressions of searches."""

    def __init__(self) -> None:
        # Shown, clicked, skipped and dwelt, by collection, query, document, generation and rank.
        self._counts: defaultdict[tuple[str, str, str, int, int], list[float]] = defaultdict(lambda: [0, 0, 0, 0.0])

    def add(self, search: LoggedSearch, events: Iterable[Event]) -> None:
        """Count a search with its events."""
        events = list(events)
        for result, outcome in outcomes(search.results or _seen(events), events).items():
            place = (search.collection, search.query, result.document, search.generation, result.rank)
            counts = self._counts[place]
            counts[0] += 1
            counts[1] += outcome.clicked
            counts[2] += outcome.skipped
            counts[3] += outcome.dwelt

    def add_all(self, searches: Iterable[LoggedSearch], events: Iterable[Event]) -> None:
        """Count the searches with those of the events that name them. Searches are read after all the events."""
        of_search: defaultdict[str | None, list[Event]] = defaultdict(list)
        for event in events:
            of_search[event.search].append(event)
        for search in searches:
            self.add(search, of_search[search.id])

    def add_shown(
        self, collection: str, query: str, generation: int, places: Iterable[tuple[str, int]], times: int
    ) -> None:
        """Count searches that got no feedback. `places` are the documents that they have shown, with their ranks."""
        for document, rank in places:
            self._counts[collection, query, document, generation, rank][0] += times

    def impressions(self) -> list[Impressions]:
        """Return the sums."""
        return [
            Impressions(*place, shown=int(shown), clicked=int(clicked), skipped=int(skipped), dwelt=dwelt)
            for place, (shown, clicked, skipped, dwelt) in self._counts.items()
        ]


def _seen(events: Iterable[Event]) -> tuple[Shown, ...]:
    """The results that impressions tell of."""
    places: dict[str, int] = {}
    for event in events:
        if event.action == "impression" and event.value is not None and 0 <= event.value < MOST_RESULTS:
            for document in event.documents:
                places[document] = min(places.get(document, MOST_RESULTS), int(event.value))
    first = 0 if 0 in places.values() else 1
    return tuple(Shown(document, place - first + 1, 0.0) for document, place in places.items())
