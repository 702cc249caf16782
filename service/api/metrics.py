"""Prometheus metrics: requests by route as they are answered, and the state of the core at each scrape."""

import asyncio
import time
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.core import Core
from service.resources import process_memory

_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class Metrics:
    """The registry of one service."""

    def __init__(self, core: Core) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("instar_requests", "Answered requests", ["route", "status"], registry=self.registry)
        self.latency = Histogram(
            "instar_request_seconds", "Time to answer", ["route"], buckets=_BUCKETS, registry=self.registry
        )
        self.registry.register(_State(core))


class Measured:
    """ASGI middleware that counts and times the requests of every known route."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except asyncio.CancelledError:
            # No answer has this status; nginx logs it for a caller that has gone.
            status = 499
            raise
        finally:
            # The template, not the path: a label for every document id would have no end.
            route = getattr(scope.get("route"), "path", "unknown")
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.latency.labels(route).observe(time.perf_counter() - began)


class _State(Collector):
    def __init__(self, core: Core) -> None:
        self._core = core

    def collect(self) -> Iterable[Metric]:
        core = self._core
        yield GaugeMetricFamily("instar_ready", "1 when requests are answered", value=int(core.ready))
        yield GaugeMetricFamily("instar_memory_bytes", "Resident memory", value=process_memory())
        waiting = GaugeMetricFamily("instar_waiting_tokens", "Tokens that wait to be encoded", labels=["lane"])
        tokens = CounterMetricFamily("instar_tokens", "Tokens encoded", labels=["lane"])
        padded = CounterMetricFamily("instar_padded_tokens", "Tokens encoded, padding included", labels=["lane"])
        texts = CounterMetricFamily("instar_texts", "Texts encoded", labels=["lane"])
        batches = CounterMetricFamily("instar_batches", "Batches run", labels=["lane"])
        for lane, state in core.scheduler.lanes.items():
            waiting.add_metric([lane], state.waiting_tokens)
            tokens.add_metric([lane], state.tokens)
            padded.add_metric([lane], state.padded_tokens)
            texts.add_metric([lane], state.texts)
            batches.add_metric([lane], state.batches)
        yield from (waiting, tokens, padded, texts, batches)
        active = core.generations.active
        if active is not None:
            names = {"model": active.model, "fingerprint": active.index.fingerprint, "generation": str(active.number)}
            yield InfoMetricFamily("instar_generation", "The active generation", value=names)
