"""Two lanes: every text of the service is encoded through here.

Requests that arrive together are batched together, whoever sent them. The interactive lane, where
somebody waits for an answer to a question, and the bulk lane, which holds documents to be written or embedded
again and large requests, run beside each other, each with a thread for every processor. A query waits behind no bulk
batch: bulk is computed at the lowest priority there is, so that the kernel gives the cores at once to whoever serves
a query. Bulk requests take turns.

A batch holds texts of one encoder and one kind, that which has waited longest among them, of about one length where
they are padded to the longest (`window`), and at most as many tokens (padding counted) as its lane allows; a longer
text is a batch of its own. A batch is computed on one processor, because processors that share a batch wait for
each other at every layer, and for whatever else runs on one of them. Only an interactive batch with no other beside or
behind it has them all.
"""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress
from typing import Self

import numpy as np

from service.errors import EncodingFailed, NotReady
from service.machine.arrays import Vectors
from service.machine.priority import lower_priority
from service.models.base import LANES, Batchable, Cores, Lane, Prepared
from service.models.errors import encoder_fails, queue_full
from service.models.scheduling.device import Device
from service.models.scheduling.lane import Batch, LaneState, Request
from service.observability import tracing
from service.observability.observer import Observer, Unobserved
from service.observability.tracing import Tracing
from service.settings import Settings

log = logging.getLogger(__name__)

# Tokens that may wait in a lane before callers get 429, however fast the lane is.
_QUEUE_TOKENS = 262_144
_PLAIN_TEXT = "a text on which no encoder fails"


class Scheduler:
    """Runs encoders on the threads of the lanes. `submit` is safe from any thread."""

    def __init__(
        self,
        *,
        batch_tokens: int,
        bulk_batch_tokens: int,
        queue_tokens: int,
        queue_seconds: float,
        processors: int,
        observer: Observer | None = None,
        traced: Tracing | None = None,
    ) -> None:
        self._observer = observer or Unobserved()
        self._tracing = traced or Tracing()
        self.budget: dict[Lane, int] = {"interactive": batch_tokens, "bulk": bulk_batch_tokens}
        self._queue_tokens = queue_tokens
        self._queue_seconds = queue_seconds
        self._lock = threading.Lock()
        self._waits: dict[Lane, threading.Condition] = {lane: threading.Condition(self._lock) for lane in LANES}
        self._stopping = False
        # Why nothing can be encoded, until something is again.
        self.failure: str | None = None
        self.lanes: dict[Lane, LaneState] = {lane: LaneState() for lane in LANES}
        self._processors = processors
        self._lowest = ThreadPoolExecutor(processors, thread_name_prefix="instar-lowest", initializer=lower_priority)
        self._threads = [self._thread(lane) for lane in LANES for _ in range(processors)]

    @classmethod
    def suited(
        cls,
        settings: Settings,
        processors: int,
        kind: Device,
        *,
        observer: Observer | None = None,
        traced: Tracing | None = None,
    ) -> Self:
        """A scheduler as the settings want it, and where they say nothing as suits the `kind` of what computes."""
        return cls(
            batch_tokens=settings.compute.batch_tokens or kind.tokens["interactive"],
            bulk_batch_tokens=settings.compute.bulk_batch_tokens or kind.tokens["bulk"],
            queue_tokens=_QUEUE_TOKENS,
            queue_seconds=settings.compute.queue_seconds,
            processors=kind.batches or processors,
            observer=observer,
            traced=traced,
        )

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def _thread(self, lane: Lane) -> threading.Thread:
        return threading.Thread(target=self._run, args=(lane,), name=f"instar-{lane}", daemon=True)

    @property
    def alive(self) -> bool:
        return all(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """End after the batches in progress; what still waits fails with NotReady."""
        with self._lock:
            self._stopping = True
            for waits in self._waits.values():
                waits.notify_all()
        for thread in self._threads:
            thread.join()
        self._lowest.shutdown()
        for lane in self.lanes.values():
            for request in lane.requests:
                with suppress(InvalidStateError):
                    request.future.set_exception(NotReady("the service is stopping: try again in a moment"))

    def lane_for(self, items: Sequence[Prepared]) -> Lane:
        """Bulk for more than one interactive batch can hold, so that no request fills that lane alone."""
        return "interactive" if sum(item.tokens for item in items) <= self.budget["interactive"] else "bulk"

    def submit(
        self, encoder: Batchable, items: Sequence[Prepared], lane: Lane, *, patient: bool = False
    ) -> "Future[Vectors]":
        """Queue `items`; the result holds their raw vectors (n, native dimensions) in order.

        Cancelling the future takes out what is not in a batch yet. Raises Overloaded when too much
        waits in the lane already, NotReady when stopping. `patient` callers come again until there is room,
        as a reload does, and are no reason to refuse others, who take turns with them.
        """
        future: Future[Vectors] = Future()
        if not items:
            future.set_result(np.empty((0, encoder.dimensions), dtype=np.float32))
            return future
        order = deque(sorted(range(len(items)), key=lambda place: -items[place].tokens))
        tokens = sum(item.tokens for item in items)
        request = Request(
            encoder=encoder,
            items=items,
            future=future,
            order=order,
            rows=[None] * len(items),
            missing=len(items),
            waiting_tokens=tokens,
            patient=patient,
            submitted=time.perf_counter(),
            span=tracing.current(),
        )
        state = self.lanes[lane]
        with self._lock:
            if self._stopping:
                raise NotReady("the service is stopping: try again in a moment")
            self._require_capacity(lane, tokens)
            state.requests.append(request)
            state.waiting_tokens += tokens
            self._waits[lane].notify()
        return future

    def require_capacity(self, lane: Lane) -> None:
        """Raise Overloaded if a submission would; for those who have costly things to do before it."""
        with self._lock:
            self._require_capacity(lane, 1)

    def _require_capacity(self, lane: Lane, tokens: int) -> None:
        state = self.lanes[lane]
        wait = state.before(lane, tokens, self.budget[lane]) / state.rate if state.rate else 0.0
        if state.waiting_tokens >= self._queue_tokens or wait > self._queue_seconds:
            seconds = max(1, math.ceil(wait))
            raise queue_full(seconds)

    def _run(self, lane: Lane) -> None:
        while True:
            with self._lock:
                while not self._stopping and not self.lanes[lane].requests:
                    self._waits[lane].wait()
                if self._stopping:
                    return
            self._serve(lane)

    def _serve(self, lane: Lane) -> None:
        """Run one batch of the lane, if anything waits there."""
        batch = self._take(lane)
        if batch is None:
            return
        items = [request.items[place] for request, place in batch.places]
        requests = {id(request): request for request, _ in batch.places}.values()
        about = {"instar.lane": lane, "instar.texts": len(items), "instar.tokens": batch.padded}
        began = time.perf_counter()
        try:
            with self._tracing.batch((request.span for request in requests), about):
                vectors = self._forward(batch.encoder, items, batch.cores)
        # Whatever a model raises belongs to the callers of this batch, and not to those after them.
        except Exception as error:
            for request, _ in batch.places:
                with suppress(InvalidStateError):
                    request.future.set_exception(error)
            return
        finally:
            with self._lock:
                self.lanes[lane].running -= 1
        self.failure = None
        took = time.perf_counter() - began
        self._observer.batch(lane, batch.padded, took, batch.waited)
        with self._lock:
            self.lanes[lane].measure(batch.cores, sum(item.tokens for item in items), took, self._processors)
            for (request, place), vector in zip(batch.places, vectors, strict=True):
                request.rows[place] = vector
                request.missing -= 1
        for request in requests:
            if request.missing == 0:
                # Its caller may give up at any moment, also between a check and this line, and another thread may
                # have been the first to see that nothing is missing.
                with suppress(InvalidStateError):
                    rows = [row for row in request.rows if row is not None]
                    request.future.set_result(rows[0][None] if len(rows) == 1 else np.stack(rows))

    def _forward(self, encoder: Batchable, items: Sequence[Prepared], cores: Cores) -> Vectors:
        """The vectors; raises EncodingFailed if the texts are at fault, EncoderFailed if any text would be.

        torch does not always recover from a moment without memory: what it could not make then is missing for good.
        """
        try:
            return self._compute(encoder, items, cores)
        except (RuntimeError, MemoryError) as error:
            log.warning("a batch failed: %s", error)
            try:
                self._compute(encoder, encoder.prepare([_PLAIN_TEXT], "document"), cores)
            except (RuntimeError, MemoryError) as again:
                self.failure = f"{type(again).__name__}: {again}"
                raise encoder_fails() from again
            try:
                return self._compute(encoder, items, cores)
            except (RuntimeError, MemoryError) as again:
                raise EncodingFailed(
                    f"the model fails on these texts ({again}): try them one by one to find out which"
                ) from again

    def _compute(self, encoder: Batchable, items: Sequence[Prepared], cores: Cores) -> Vectors:
        """The vectors, at the priority of the share.

        Only computing has the lowest one. A thread that has it all the time, and is put off while it has the
        interpreter, puts off everybody.
        """

        if cores == "spare" and not encoder.yields:
            return self._lowest.submit(encoder.forward, items, cores).result()
        return encoder.forward(items, cores)

    def _take(self, lane: Lane) -> Batch | None:
        """Form the next batch."""
        state = self.lanes[lane]
        with self._lock:
            state.drop_abandoned()
            if not state.requests:
                return None
            places = state.chosen(lane, self.budget[lane], self._processors)
            head = places[0][0]
            now = time.perf_counter()
            waited = [
                now - request.submitted
                for request in {id(request): request for request, _ in places}.values()
                if len(request.order) == len(request.items)
            ]
            lengths = [request.items[place].tokens for request, place in places]
            # Longest first, as they stand there, so that it is the front from which most are taken.
            for request, place in reversed(places):
                request.order.remove(place)
                request.waiting_tokens -= request.items[place].tokens
            if lane == "bulk":
                state.requests.rotate(-1)
            tokens = sum(lengths)
            state.waiting_tokens -= tokens
            state.batches += 1
            state.texts += len(places)
            state.tokens += tokens
            padded = tokens if head.encoder.packs else max(lengths) * len(places)
            state.padded_tokens += padded
            alone = not state.running and not state.waiting_tokens
            cores: Cores = "spare" if lane == "bulk" else "whole" if alone else "single"
            state.running += 1
            if state.waiting_tokens:
                self._waits[lane].notify()
            return Batch(head.encoder, places, cores, padded, waited)
