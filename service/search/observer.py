"""Observers of live searches, such as shadow mode, in which another generation answers some of them, too."""

from collections.abc import Sequence
from typing import Protocol

from service.generations.generation import Generation
from service.search.fusion import Scored
from service.search.retrieval import SearchSpec


class SearchObserver(Protocol):
    """Hears of each search whose queries the service has encoded itself."""

    def searched(
        self,
        generation: Generation,
        queries: Sequence[str],
        spec: SearchSpec,
        rankings: Sequence[Scored],
        seconds: float,
    ) -> None:
        """Take note of the ranking of each query by `generation`, and of the time that it took. Returns at once."""
        ...
