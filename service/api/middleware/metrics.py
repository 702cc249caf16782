"""Prometheus metrics: requests by route as they are answered, and the state of the core at each scrape."""

import asyncio
import shutil
import time
from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.middleware.status import Noted
from service.core import Core
from service.observability.telemetry import Telemetry
from service.reload.job import STAGES, Job


class Measured:
    """ASGI middleware that counts and times the requests of every known route."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        noted = Noted(send)

        try:
            await self._app(scope, receive, noted)
        except asyncio.CancelledError:
            # No answer has this status; nginx logs it for a caller that has gone.
            noted.status = 499
            raise
        finally:
            # The template, not the path: a label for every document id would have no end.
            route = getattr(scope.get("route"), "path", "unknown")
            self._telemetry.answered(route, scope["method"], noted.status, time.perf_counter() - began)


class State(Collector):
    """What is read of the core at each scrape."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def collect(self) -> Iterable[Metric]:
        core = self._core
        yield GaugeMetricFamily("instar_ready", "1 when requests are answered", value=int(core.ready))
        free = shutil.disk_usage(core.settings.data_dir).free
        yield GaugeMetricFamily("instar_disk_free_bytes", "Free on the disk of the data folder", value=free)
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
        yield from _reload(core.reloads.current)
        active = core.generations.active
        if active is None:
            return
        names = {"model": active.model, "fingerprint": active.index.fingerprint, "generation": str(active.number)}
        yield InfoMetricFamily("instar_generation", "The active generation", value=names)
        activated = active.record.activated
        if activated is not None:
            yield GaugeMetricFamily(
                "instar_activated_timestamp_seconds", "When it was activated", value=activated.timestamp()
            )
        retained = len(core.generations.retained)
        yield GaugeMetricFamily("instar_retained_generations", "Former generations that are loaded", value=retained)
        index = active.index.stats()
        yield GaugeMetricFamily("instar_documents", "Documents that can be found", value=index.documents)
        yield GaugeMetricFamily("instar_fresh_documents", "Those of them that are not sealed yet", value=index.fresh)
        yield GaugeMetricFamily("instar_deleted_documents", "Deleted ones that still take a place", value=index.deleted)
        yield GaugeMetricFamily("instar_collections", "Collections that have documents", value=active.index.collections)
        yield GaugeMetricFamily(
            "instar_index_recall",
            "Recall@10 measured at the build, of the collection that has the lowest",
            value=min(index.recall.values(), default=1.0),
        )


def _reload(job: Job | None) -> Iterable[Metric]:
    """The reload under way: zeros where there is none, so that its curves end."""
    yield GaugeMetricFamily("instar_reload_running", "1 while a reload is under way", value=int(job is not None))
    stages = GaugeMetricFamily("instar_reload_stage", "1 for the stage that the reload is in", labels=["stage"])
    for stage in STAGES:
        stages.add_metric([stage], int(job is not None and job.stage == stage))
    yield stages
    for name, says, value in (
        ("embedded", "Documents that the reload has embedded", job.done if job else 0),
        ("expected", "Documents that the reload has to embed", job.total if job else 0),
        ("rate", "Documents that the reload embeds in a second", (job.rate or 0) if job else 0),
    ):
        yield GaugeMetricFamily(f"instar_reload_{name}_documents", says, value=value)
    judged = GaugeMetricFamily(
        "instar_judged_ndcg_ratio", "nDCG@10 of both generations on the judged queries", labels=["generation"]
    )
    if job is not None and job.judged is not None:
        judged.add_metric(["active"], job.judged.active.ndcg)
        judged.add_metric(["building"], job.judged.building.ndcg)
    yield judged
    yield GaugeMetricFamily(
        "instar_shadow_score_shift",
        "Mean score of what the shadow has found, less that of what the active generation has",
        value=job.shadowed.score_shift if job and job.shadowed else 0,
    )
