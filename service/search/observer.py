"""Observers of live searches, such as the generation in the shadow, which answers some of them, too."""

from collections.abc import Sequence
from typing import Protocol

from service.generations.generation import Generation
from service.search.fusion import Scored
from service.search.retrieval import SearchSpec


class SearchObserver(Protocol):
    """Is told of each search whose queries the service has encoded itself."""

    def searched(
        self,
        generation: Generation,
        queries: Sequence[str],
        spec: SearchSpec,
        rankings: Sequence[Scored],
        seconds: float,
    ) -> None:
        """Take note of what `generation` found for each query, in so many seconds; returns at once."""
        ...
