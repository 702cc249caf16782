"""Shadow mode: a new generation answers a share of the live searches. Its results are compared, and never returned.

A comparison costs as much as the search itself, so few are under way at a time. A search that finds no room among them,
or in the queue of the encoder, is left out and counted.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from service.errors import InstarError
from service.generations.generation import Generation
from service.generations.loaded import LoadedGenerations
from service.models.encoding import Encoding
from service.search.balance import weighed
from service.search.fusion import Scored
from service.search.retrieval import Retrieval, SearchSpec

log = logging.getLogger(__name__)

# Searches that are compared at a time.
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Comparison:
    """The results of one query in both generations, and the seconds that each took for the search with the query.

    `overlap` is the number of documents that both found, divided by the length of the longer result. `shift` is the
    mean score in the shadow less the mean score in the active generation.
    """

    overlap: float
    same_first: bool
    shift: float
    active_seconds: float
    shadow_seconds: float


# Called with each comparison, and with None for each search that was left out.
Note = Callable[[Comparison | None], None]


@dataclass(eq=False)
class _Watched:
    """The generation in the shadow. It compares a search whenever `accrued`, the sum of shares, reaches 1."""

    generation: Generation
    share: float
    note: Note
    accrued: float = 0.0
    tasks: "set[asyncio.Task[None]]" = field(default_factory=set)


class Shadow:
    """Compares live searches with the results of the generation in the shadow, if there is one."""

    def __init__(self, generations: LoadedGenerations, retrieval: Retrieval, encoding: Encoding) -> None:
        self._generations = generations
        self._retrieval = retrieval
        self._encoding = encoding
        self._watched: _Watched | None = None

    @contextmanager
    def shadowing(self, generation: Generation, share: float, note: Note) -> Iterator[None]:
        """Within the block, `generation` also answers that share of the searches, and `note` is called for each."""
        watched = self._watched = _Watched(generation, share, note)
        try:
            yield
        finally:
            self._watched = None
            for task in watched.tasks:
                task.cancel()

    def searched(
        self,
        generation: Generation,
        queries: Sequence[str],
        spec: SearchSpec,
        rankings: Sequence[Scored],
        seconds: float,
    ) -> None:
        """Compare the `rankings` of a live search, which took `seconds`, if it is one of the share; returns at once.

        A search in keyword mode asks no model and is left out.
        """
        watched = self._watched
        if watched is None or spec.mode == "keyword" or generation is not self._generations.active:
            return
        # Every tenth search, and not each with a chance of one in ten: that needs no luck to come near the share.
        watched.accrued += watched.share
        if watched.accrued < 1:
            return
        watched.accrued -= 1
        if len(watched.tasks) >= _AT_ONCE:
            watched.note(None)
            return
        task = asyncio.get_running_loop().create_task(
            self._compare(watched, queries, spec, rankings, seconds),
            # An empty context, because the caller's key is not charged for these tokens.
            context=Context(),
        )
        watched.tasks.add(task)
        task.add_done_callback(partial(_ended, watched))

    async def _compare(
        self, watched: _Watched, queries: Sequence[str], spec: SearchSpec, rankings: Sequence[Scored], seconds: float
    ) -> None:
        index, spec = watched.generation.index, weighed(spec, watched.generation)
        began = time.perf_counter()
        try:
            vectors = await self._encoding.embed(watched.generation.encoder, queries, "query")
            shadowed = await asyncio.to_thread(self._retrieval.rank, index, queries, vectors, spec)
        except InstarError:
            watched.note(None)
            return
        shadow_seconds = time.perf_counter() - began
        for active, shadow in zip(rankings, shadowed, strict=True):
            if active or shadow.scored:
                watched.note(compared(active, shadow.scored, seconds, shadow_seconds))


def compared(active: Scored, shadow: Scored, active_seconds: float, shadow_seconds: float) -> Comparison:
    """The comparison of two rankings, of which one may be empty."""
    active_seqs, shadow_seqs = ({seq for seq, _ in ranking} for ranking in (active, shadow))
    active_mean, shadow_mean = (
        float(np.mean([score for _, score in ranking])) if ranking else 0.0 for ranking in (active, shadow)
    )
    return Comparison(
        overlap=len(active_seqs & shadow_seqs) / max(len(active_seqs), len(shadow_seqs)),
        same_first=bool(active and shadow and active[0][0] == shadow[0][0]),
        shift=shadow_mean - active_mean,
        active_seconds=active_seconds,
        shadow_seconds=shadow_seconds,
    )


def _ended(watched: _Watched, task: "asyncio.Task[None]") -> None:
    watched.tasks.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error(
            "a search in the shadow failed and is left out: read the error before you activate it", exc_info=error
        )
        watched.note(None)
