"""The two lanes through which every text of the service is encoded.

Requests that arrive together are batched together, whoever sent them. The interactive lane is for callers that wait
for an answer. The bulk lane is for documents that are written or embedded again, and for large requests. The lanes run
beside each other, each with a thread for every processor. A query waits behind no bulk batch: bulk is computed at the
lowest priority there is, so that the kernel gives the cores at once to any thread that serves a query. Bulk requests
take turns.

A batch holds texts of one encoder, one side and one prompt, among them the text that has waited longest. Texts that are
padded to the longest are of about one length (`batching`). Padding included, a batch has at most as many tokens as its
lane allows; a longer text is alone in its batch. A batch is computed on one processor, because processors that share a
batch wait for each other at every layer, and for whatever else runs on one of them. Only an interactive batch with no
other beside or behind it has all processors.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Self

import numpy as np

from service.errors import NotReady
from service.machine.arrays import Vectors
from service.models.base import LANES, Batchable, Cores, Lane, Prepared
from service.models.errors import queue_full
from service.models.scheduling.computing import Computing
from service.models.scheduling.device import Device
from service.models.scheduling.lane import Batch, LaneState, Request
from service.observability import tracing
from service.observability.observer import Observer, Unobserved
from service.observability.tracing import Tracing
from service.settings import Settings

# Tokens that may wait in a lane before callers get 429, however fast the lane is.
_QUEUE_TOKENS = 262_144


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
        self.lanes: dict[Lane, LaneState] = {lane: LaneState() for lane in LANES}
        self._processors = processors
        self._computing = Computing(processors)
        self._threads = [self._thread(lane) for lane in LANES for _ in range(processors)]

    @classmethod
    def suited(
        cls,
        settings: Settings,
        processors: int,
        device: Device,
        *,
        observer: Observer | None = None,
        traced: Tracing | None = None,
    ) -> Self:
        """A scheduler as the settings want it; where they say nothing, as it suits the device."""
        return cls(
            batch_tokens=settings.compute.batch_tokens or device.tokens["interactive"],
            bulk_batch_tokens=settings.compute.bulk_batch_tokens or device.tokens["bulk"],
            queue_tokens=_QUEUE_TOKENS,
            queue_seconds=settings.compute.queue_seconds,
            processors=device.batches or processors,
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

    @property
    def failure(self) -> str | None:
        """The error for which nothing can be encoded; None while encoding works."""
        return self._computing.failure

    def stop(self) -> None:
        """End after the batches in progress; requests that still wait fail with NotReady."""
        with self._lock:
            self._stopping = True
            for waits in self._waits.values():
                waits.notify_all()
        for thread in self._threads:
            thread.join()
        self._computing.close()
        for lane in self.lanes.values():
            for request in lane.requests:
                with suppress(InvalidStateError):
                    request.future.set_exception(NotReady("the service is stopping: try again in a moment"))

    def lane_for(self, items: Sequence[Prepared]) -> Lane:
        """Bulk for more items than one interactive batch holds, so that no request fills the interactive lane alone."""
        return "interactive" if sum(item.tokens for item in items) <= self.budget["interactive"] else "bulk"

    def submit(
        self, encoder: Batchable, items: Sequence[Prepared], lane: Lane, *, patient: bool = False
    ) -> "Future[Vectors]":
        """Queue `items`; the result holds their raw vectors (n, native dimensions) in order.

        Cancelling the future takes out the texts that are not in a batch yet. Raises Overloaded when too much waits in
        the lane already, and NotReady when the service is stopping. A `patient` caller, such as a reload, tries again
        until there is room; it takes turns with other callers and is no reason to refuse them.
        """
        future: Future[Vectors] = Future()
        if not items:
            future.set_result(np.empty((0, encoder.dimensions), dtype=np.float32))
            return future
        order = deque(sorted(range(len(items)), key=lambda position: -items[position].tokens))
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
        """Raise Overloaded if a submission would: for callers that have costly work to do before it."""
        with self._lock:
            self._require_capacity(lane, 1)

    def _require_capacity(self, lane: Lane, tokens: int) -> None:
        state = self.lanes[lane]
        wait = state.tokens_ahead(lane, tokens, self.budget[lane]) / state.rate if state.rate else 0.0
        if state.waiting_tokens >= self._queue_tokens or wait > self._queue_seconds:
            raise queue_full(max(1, math.ceil(wait)))

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
        items = [request.items[position] for request, position in batch.texts]
        requests = {id(request): request for request, _ in batch.texts}.values()
        attributes = {"instar.lane": lane, "instar.texts": len(items), "instar.tokens": batch.padded}
        start = time.perf_counter()
        try:
            with self._tracing.batch((request.span for request in requests), attributes):
                vectors = self._computing.forward(batch.encoder, items, batch.cores)
        # Whatever a model raises belongs to the callers of this batch, and not to those after them.
        except Exception as error:
            for request, _ in batch.texts:
                with suppress(InvalidStateError):
                    request.future.set_exception(error)
            return
        finally:
            with self._lock:
                self.lanes[lane].running -= 1
        seconds = time.perf_counter() - start
        self._observer.batch(lane, batch.padded, seconds, batch.waited)
        with self._lock:
            self.lanes[lane].measure(batch.cores, sum(item.tokens for item in items), seconds, self._processors)
            for (request, position), vector in zip(batch.texts, vectors, strict=True):
                request.rows[position] = vector
                request.missing -= 1
        for request in requests:
            if request.missing == 0:
                # The caller may give up at any moment, also between a check and this line, and another thread may have
                # been the first to see that nothing is missing.
                with suppress(InvalidStateError):
                    rows = [row for row in request.rows if row is not None]
                    request.future.set_result(rows[0][None] if len(rows) == 1 else np.stack(rows))

    def _take(self, lane: Lane) -> Batch | None:
        """Form the next batch of the lane; None if nothing waits there."""
        state = self.lanes[lane]
        with self._lock:
            state.drop_abandoned()
            if not state.requests:
                return None
            texts = state.choose(lane, self.budget[lane], self._processors)
            encoder = texts[0][0].encoder
            now = time.perf_counter()
            waited = [
                now - request.submitted
                for request in {id(request): request for request, _ in texts}.values()
                if len(request.order) == len(request.items)
            ]
            lengths = [request.items[position].tokens for request, position in texts]
            # Longest first, as `order` is sorted, so that most are removed at its front.
            for request, position in reversed(texts):
                request.order.remove(position)
                request.waiting_tokens -= request.items[position].tokens
            if lane == "bulk":
                state.requests.rotate(-1)
            tokens = sum(lengths)
            state.waiting_tokens -= tokens
            state.batches += 1
            state.texts += len(texts)
            state.tokens += tokens
            padded = tokens if encoder.packs else max(lengths) * len(texts)
            state.padded_tokens += padded
            alone = not state.running and not state.waiting_tokens
            cores: Cores = "spare" if lane == "bulk" else "whole" if alone else "single"
            state.running += 1
            if state.waiting_tokens:
                self._waits[lane].notify()
            return Batch(encoder, texts, cores, padded, waited)
