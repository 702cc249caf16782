"""Prometheus metrics of the state of the service, read at each scrape."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from service.api.readiness import RequireReady
from service.errors import NotReady
from service.generations.generation import Generation
from service.generations.loaded import LoadedGenerations
from service.generations.rerankers import Rerankers
from service.learning.search_log import SearchLog
from service.models.scheduling.scheduler import Scheduler
from service.reload.job import STAGES, Job
from service.reload.runner import Reloads


class State(Collector):
    """Reads the gauges of the service. Gauges of an index are those of the active generation."""

    def __init__(
        self,
        require_ready: RequireReady,
        data_folder: Path,
        scheduler: Scheduler,
        reloads: Reloads,
        generations: LoadedGenerations,
        rerankers: Rerankers,
        search_log: SearchLog,
    ) -> None:
        self._require_ready = require_ready
        self._data_folder = data_folder
        self._scheduler = scheduler
        self._reloads = reloads
        self._generations = generations
        self._rerankers = rerankers
        self._search_log = search_log

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("instar_ready", "1 when requests are answered", value=self._ready())
        free = shutil.disk_usage(self._data_folder).free
        yield GaugeMetricFamily("instar_disk_free_bytes", "Free on the disk of the data folder", value=free)
        yield from self._lanes()
        yield from self._searches()
        yield from _reload(self._reloads.current)
        active = self._generations.active
        if active is not None:
            yield from _generation(active, len(self._generations.retained))
        reranker = self._rerankers.active
        if reranker is not None:
            names = {"model": reranker.model, "by_default": str(reranker.record.by_default).lower()}
            yield InfoMetricFamily("instar_reranker", "The active reranker", value=names)

    def _ready(self) -> int:
        try:
            self._require_ready()
        except NotReady:
            return 0
        return 1

    def _searches(self) -> Iterable[Metric]:
        stopped = int(self._search_log.failure is not None)
        yield GaugeMetricFamily(
            "instar_search_log_failed",
            "1 when the search log has stopped because it could not be written",
            value=stopped,
        )
        searches = CounterMetricFamily("instar_searches", "Searches that were to be kept", labels=["outcome"])
        searches.add_metric(["kept"], self._search_log.written)
        searches.add_metric(["lost"], self._search_log.left_out)
        yield searches

    def _lanes(self) -> Iterable[Metric]:
        waiting = GaugeMetricFamily("instar_waiting_tokens", "Tokens that wait to be encoded", labels=["lane"])
        tokens = CounterMetricFamily("instar_tokens", "Tokens encoded", labels=["lane"])
        padded = CounterMetricFamily("instar_padded_tokens", "Tokens encoded, padding included", labels=["lane"])
        texts = CounterMetricFamily("instar_texts", "Texts encoded", labels=["lane"])
        batches = CounterMetricFamily("instar_batches", "Batches run", labels=["lane"])
        for lane, state in self._scheduler.lanes.items():
            waiting.add_metric([lane], state.waiting_tokens)
            tokens.add_metric([lane], state.tokens)
            padded.add_metric([lane], state.padded_tokens)
            texts.add_metric([lane], state.texts)
            batches.add_metric([lane], state.batches)
        yield from (waiting, tokens, padded, texts, batches)


def _generation(active: Generation, retained: int) -> Iterable[Metric]:
    names = {"model": active.model, "fingerprint": active.index.fingerprint, "generation": str(active.number)}
    yield InfoMetricFamily("instar_generation", "The active generation", value=names)
    activated = active.record.activated
    if activated is not None:
        yield GaugeMetricFamily(
            "instar_activated_timestamp_seconds", "When it was activated", value=activated.timestamp()
        )
    yield GaugeMetricFamily("instar_retained_generations", "Former generations that are loaded", value=retained)
    index = active.index.stats()
    yield GaugeMetricFamily("instar_documents", "Documents that can be found", value=index.documents)
    yield GaugeMetricFamily("instar_windows", "Windows of these documents", value=index.windows)
    yield GaugeMetricFamily("instar_fresh_documents", "Windows that are not sealed yet", value=index.fresh)
    yield GaugeMetricFamily("instar_deleted_documents", "Deleted windows that still take room", value=index.deleted)
    yield GaugeMetricFamily("instar_collections", "Collections that have documents", value=active.index.collections)
    yield GaugeMetricFamily(
        "instar_index_recall",
        "Recall@10 measured at the build, of the collection that has the lowest",
        value=min(index.recall.values(), default=1.0),
    )


def _reload(job: Job | None) -> Iterable[Metric]:
    """Yield the metrics of the running reload; zeros if there is none, so that its curves end."""
    yield GaugeMetricFamily("instar_reload_running", "1 while a reload is under way", value=int(job is not None))
    stages = GaugeMetricFamily("instar_reload_stage", "1 for the stage that the reload is in", labels=["stage"])
    for stage in STAGES:
        stages.add_metric([stage], int(job is not None and job.stage == stage))
    yield stages
    for name, meaning, value in (
        ("embedded", "Documents that the reload has embedded", job.done if job else 0),
        ("expected", "Documents that the reload has to embed", job.total if job else 0),
        ("rate", "Documents that the reload embeds in a second", (job.rate or 0) if job else 0),
    ):
        yield GaugeMetricFamily(f"instar_reload_{name}_documents", meaning, value=value)
    judged = GaugeMetricFamily(
        "instar_judged_ndcg_ratio", "nDCG@10 of both generations on the judged queries", labels=["generation"]
    )
    if job is not None and job.judged is not None:
        judged.add_metric(["active"], job.judged.active.ndcg)
        judged.add_metric(["building"], job.judged.building.ndcg)
    yield judged
    yield GaugeMetricFamily(
        "instar_shadow_score_shift",
        "Mean score of the shadow's results, less that of the active generation's",
        value=job.shadowed.score_shift if job and job.shadowed else 0,
    )
