"""Texts to vectors for everyone who needs them: tokenizing off the event loop, then the scheduler."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from service.errors import Overloaded
from service.machine.arrays import Vectors
from service.models.base import Direction, Lane, Prepared, ServedModel, Side
from service.models.scheduling.scheduler import Scheduler
from service.observability.tracing import Tracing

_T = TypeVar("_T")
TOKENIZING_THREADS = 2
# Characters that are tokenized in less time than it takes to change threads twice on a busy machine.
_AT_ONCE = 1000
# Seconds between two attempts to find room.
_PATIENCE = 0.1


class Encoding:
    """Awaitable encoding. A caller that is cancelled costs no inference from then on."""

    def __init__(
        self, scheduler: Scheduler, spend: Callable[[int], None] = lambda _: None, tracing: Tracing | None = None
    ) -> None:
        """`spend` is told of the tokens of everything that is encoded, by whoever waits for it."""
        self._scheduler = scheduler
        self._spend = spend
        self._tracing = tracing or Tracing()
        # Before queries come, bulk has nobody to make way for, and must not starve beside what else the machine does.
        self.answering = True
        self._threads = ThreadPoolExecutor(TOKENIZING_THREADS, thread_name_prefix="instar-tokenizer")

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    async def prepare(
        self,
        encoder: ServedModel,
        texts: Sequence[str],
        side: Side | None,
        prompt_name: str | None = None,
        cut: Direction | None = None,
    ) -> list[Prepared]:
        """Tokenize; what is long on a thread of its own, so that it holds nobody up."""
        if sum(map(len, texts)) <= _AT_ONCE:
            return encoder.prepare(texts, side, prompt_name, cut)
        return await self.on_tokenizer_thread(encoder.prepare, texts, side, prompt_name, cut)

    def require_capacity(self) -> None:
        """Raise Overloaded where somebody who waits for an answer would wait too long; before anything costs time."""
        self._scheduler.require_capacity("interactive")

    async def on_tokenizer_thread(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """Run `function` on a tokenizing thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    async def raw(
        self, encoder: ServedModel, items: Sequence[Prepared], lane: Lane | None = None, *, patient: bool = False
    ) -> Vectors:
        """Raw vectors of prepared texts; the lane is chosen by their number of tokens unless given.

        Raises Overloaded if too much waits already; `patient` callers wait for room instead.
        """
        chosen = (lane or self._scheduler.lane_for(items)) if self.answering else "interactive"
        tokens = sum(item.tokens for item in items)
        about: dict[str, str | int] = {
            "instar.model": encoder.checkpoint.id,
            "instar.lane": chosen,
            "instar.texts": len(items),
            "instar.tokens": tokens,
        }
        with self._tracing.span("encode", about):
            while True:
                try:
                    found = await asyncio.wrap_future(self._scheduler.submit(encoder, items, chosen, patient=patient))
                    self._spend(tokens)
                    return found
                except Overloaded:
                    if not patient:
                        raise
                    await asyncio.sleep(_PATIENCE)

    async def embed(
        self,
        encoder: ServedModel,
        texts: Sequence[str],
        side: Side,
        lane: Lane | None = None,
        *,
        patient: bool = False,
    ) -> Vectors:
        """Unit vectors (n, dimensions) of `texts`, as they are indexed and searched.

        Raises Overloaded if too much waits already; `patient` callers wait for room instead.
        """
        if not texts:
            return np.empty((0, encoder.dimensions), dtype=np.float32)
        if lane is None:
            self.require_capacity()
        items = await self.prepare(encoder, texts, side)
        return encoder.finish(await self.raw(encoder, items, lane, patient=patient))
