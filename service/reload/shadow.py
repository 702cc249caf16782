"""The shadow: a generation that answers a share of the live searches beside the active one, and shows nobody.

What it finds is compared with what the caller got. A search costs as much again for it, so few are under way at a time,
and one that comes meanwhile, or for which there is no room in the queue, is left out and counted.
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
from service.search.fusion import Scored
from service.search.retrieval import Retrieval, SearchSpec

log = logging.getLogger(__name__)

_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Comparison:
    """One query as both generations answer it; the seconds are those of the search that it came in.

    `overlap` is the share of what either found that both did, `shift` the mean score in the shadow less that in the
    active one.
    """

    overlap: float
    same_first: bool
    shift: float
    active_seconds: float
    shadow_seconds: float


# Told of each comparison, and of each search that was left out.
Note = Callable[[Comparison | None], None]


@dataclass(eq=False)
class _Watched:
    generation: Generation
    share: float
    note: Note
    accrued: float = 0.0
    tasks: "set[asyncio.Task[None]]" = field(default_factory=set)


class Shadow:
    """Compares live searches with those of the generation that is watched, if one is."""

    def __init__(self, generations: LoadedGenerations, retrieval: Retrieval, encoding: Encoding) -> None:
        self._generations = generations
        self._retrieval = retrieval
        self._encoding = encoding
        self._watched: _Watched | None = None

    @contextmanager
    def shadowing(self, generation: Generation, share: float, note: Note) -> Iterator[None]:
        """Meanwhile `generation` answers that share of the searches, too, and `note` is told."""
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
        """Compare what `generation` found of a live search in so many seconds, if its turn has come; returns at once.

        One by keyword alone asks no model, and is passed over.
        """
        watched = self._watched
        if watched is None or spec.mode == "keyword" or generation is not self._generations.active:
            return
        # Every tenth and not each with a chance of one in ten: it needs no luck to come near to the share.
        watched.accrued += watched.share
        if watched.accrued < 1:
            return
        watched.accrued -= 1
        if len(watched.tasks) >= _AT_ONCE:
            watched.note(None)
            return
        task = asyncio.get_running_loop().create_task(
            self._compare(watched, queries, spec, rankings, seconds),
            # Its tokens are not those of the caller's key.
            context=Context(),
        )
        watched.tasks.add(task)
        task.add_done_callback(partial(_ended, watched))

    async def _compare(
        self, watched: _Watched, queries: Sequence[str], spec: SearchSpec, rankings: Sequence[Scored], seconds: float
    ) -> None:
        index = watched.generation.index
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
    """What two rankings, of which one may be empty, have in common."""
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
        log.error("a search of the shadow failed", exc_info=error)
        watched.note(None)
