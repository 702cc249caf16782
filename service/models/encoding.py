"""The awaitable way from texts to vectors: tokenizing off the event loop, then the scheduler."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from service.errors import Overloaded
from service.machine.arrays import Spans, Vectors, Windows
from service.models.base import Direction, Lane, Model, Prepared, ServedModel, Side
from service.models.scheduling.scheduler import Scheduler
from service.models.windowing import TRUNCATED, Windowing, Windowings, parts
from service.observability.tracing import Tracing

_T = TypeVar("_T")
TOKENIZING_THREADS = 2
# Characters that are tokenized in less time than two changes of threads take on a busy machine.
_INLINE_CHARACTERS = 1000
# Seconds that a patient caller waits before it tries again to find room in the lane.
_RETRY_SECONDS = 0.1


class Encoding:
    """Awaitable encoding. A caller that is cancelled costs no inference from then on."""

    def __init__(
        self,
        scheduler: Scheduler,
        charge: Callable[[int], None] = lambda _: None,
        tracing: Tracing | None = None,
        windowings: Windowings = TRUNCATED,
    ) -> None:
        """`charge` is called with the tokens of everything that is encoded, in the context of the caller."""
        self.windowings = windowings
        self._scheduler = scheduler
        self._charge = charge
        self._tracing = tracing or Tracing()
        # False while the service starts. All texts then take the interactive lane: there is no query that bulk has to
        # make way for, and at idle priority it would starve beside other processes.
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
        """Tokenize `texts`: long ones on a tokenizing thread, so that they hold up no other request."""
        if sum(map(len, texts)) <= _INLINE_CHARACTERS:
            return encoder.prepare(texts, side, prompt_name, cut)
        return await self.on_tokenizer_thread(encoder.prepare, texts, side, prompt_name, cut)

    def require_capacity(self) -> None:
        """Raise Overloaded if a query would wait too long: to be called before anything costs time."""
        self._scheduler.require_capacity("interactive")

    async def on_tokenizer_thread(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """Run `function` on a tokenizing thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    async def raw(
        self, encoder: Model, items: Sequence[Prepared], lane: Lane | None = None, *, patient: bool = False
    ) -> Vectors:
        """Raw vectors (n, native dimensions) of prepared texts. Without a `lane`, their number of tokens chooses it.

        Raises Overloaded if too much waits already; `patient` callers wait for room instead.
        """
        if not self.answering:
            lane = "interactive"
        elif lane is None:
            lane = self._scheduler.lane_for(items)
        tokens = sum(item.tokens for item in items)
        attributes: dict[str, str | int] = {
            "instar.model": encoder.checkpoint.id,
            "instar.lane": lane,
            "instar.texts": len(items),
            "instar.tokens": tokens,
        }
        with self._tracing.span("encode", attributes):
            while True:
                try:
                    vectors = await asyncio.wrap_future(self._scheduler.submit(encoder, items, lane, patient=patient))
                    self._charge(tokens)
                    return vectors
                except Overloaded:
                    if not patient:
                        raise
                    await asyncio.sleep(_RETRY_SECONDS)

    async def embed(
        self,
        encoder: ServedModel,
        texts: Sequence[str],
        side: Side,
        lane: Lane | None = None,
        *,
        patient: bool = False,
    ) -> Vectors:
        """Unit vectors (n, dimensions) of `texts`, as they are stored in an index and searched with.

        Raises Overloaded if too much waits already; `patient` callers wait for room instead.
        """
        if not texts:
            return np.empty((0, encoder.dimensions), dtype=np.float32)
        if lane is None:
            self.require_capacity()
        items = await self.prepare(encoder, texts, side)
        return encoder.finish(await self.raw(encoder, items, lane, patient=patient))

    async def embed_documents(
        self, encoder: ServedModel, texts: Sequence[str], windowing: Windowing, *, patient: bool = False
    ) -> list[Windows]:
        """The windows of each document, cut by `windowing` where it is longer than the model reads.

        Raises Overloaded if too much waits already; `patient` callers wait for room instead.
        """
        if not texts:
            return []
        items, spans = await self.windows(encoder, texts, windowing)
        # With one window at most, the model's own cut is the window: a cut word would be other tokens on its own.
        cut = [windowing.most > 1 and each.any() for each in spans]
        windows = [
            part for text, each, is_cut in zip(texts, spans, cut, strict=True) if is_cut for part in parts(text, each)
        ]
        prepared = iter(await self.prepare(encoder, windows, "document") if windows else [])
        flat: list[Prepared] = []
        for item, each, is_cut in zip(items, spans, cut, strict=True):
            flat += [next(prepared) for _ in each] if is_cut else [item]
        vectors = encoder.finish(await self.raw(encoder, flat, "bulk", patient=patient))
        ends = np.cumsum([len(each) for each in spans])
        return [Windows(rows, each) for rows, each in zip(np.split(vectors, ends[:-1]), spans, strict=True)]

    async def windows(
        self, encoder: ServedModel, texts: Sequence[str], windowing: Windowing
    ) -> tuple[list[Prepared], list[Spans]]:
        """Each document tokenized as far as it is read, and its windows."""
        items = await self.prepare(encoder, texts, "document")
        return items, await self.on_tokenizer_thread(encoder.windows, texts, items, windowing)

    def shared(self, windows: Windows) -> bool:
        """Whether their text has these windows in every collection: always, unless collections differ in the cut."""
        return self.windowings.uniform or not windows.spans.any()
