"""From the settings to the parts of a service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.access.keyring import Keyring
from service.access.settings_keys import keys_of_settings
from service.corpus.base import CorpusStore
from service.generations import backup
from service.generations.activation import Activation
from service.generations.builder import Builder
from service.generations.calibration import Calibration
from service.generations.changes import Changes
from service.generations.generations import Generations
from service.generations.housekeeping import Housekeeping
from service.generations.restore import Restore
from service.generations.webhook import Webhook, open_webhook
from service.index.choice import open_indexes, open_keywords
from service.index.keywords.base import KeywordIndex
from service.learning.learning import Learning
from service.machine.children import Children, InThisProcess
from service.machine.resources import Headroom
from service.machine.writer import WritingThread
from service.models.base import LANES
from service.observability import tracing
from service.observability.metrics import Metrics
from service.observability.observer import Observer
from service.observability.tracing import Tracing
from service.reload.balancing import Balancing
from service.reload.gate import Gate
from service.reload.job import ENDS
from service.reload.jobs import Jobs
from service.reload.judge import Judge
from service.reload.judged_queries import JudgedQueries
from service.reload.orders import Orders, SharedOrders
from service.reload.reranker_judge import RerankerJudge
from service.reload.reranking import RerankerStages
from service.reload.runner import Reloads, StagesOfKinds
from service.reload.shadow import Shadow
from service.reload.stages import Stages
from service.search.query import Search
from service.search.rerank import RerankedSearch
from service.search.retrieval import Retrieval
from service.settings import Settings, is_loopback
from service.wiring.models import Models, open_models
from service.wiring.replication import count, replication
from service.wiring.stores import Stores, open_stores
from service.writing.writing import Writing

if TYPE_CHECKING:
    from service.writing.replication import Replication


@dataclass(frozen=True)
class Serving:
    """Generations, and what builds, restores and replaces them."""

    generations: Generations
    builder: Builder
    housekeeping: Housekeeping
    activation: Activation
    restore: Restore
    calibration: Calibration


@dataclass(frozen=True)
class Parts:
    """The parts of one service on one data folder. Nothing runs until `Lifecycle` starts it."""

    settings: Settings
    headroom: Headroom
    tracing: Tracing
    observer: Observer
    metrics: Metrics
    keyring: Keyring
    stores: Stores
    corpus: CorpusStore
    keywords: KeywordIndex
    thread: WritingThread
    models: Models
    serving: Serving
    search: RerankedSearch
    learning: Learning
    writing: Writing
    replication: Replication | None
    reloads: Reloads
    shared_orders: SharedOrders | None
    changes: Changes
    webhook: Webhook | None

    @property
    def orders(self) -> Orders:
        """The part that takes orders for the reload under way."""
        return self.shared_orders or self.reloads


def new_metrics() -> Metrics:
    """The metrics of a service, before anything is counted."""
    return Metrics(LANES, ENDS)


def build(
    settings: Settings,
    metrics: Metrics,
    observer: Observer | None = None,
    trials: Children | None = None,
    derivations: Children | None = None,
) -> Parts:
    """Open the data folder and put the parts together; nothing is loaded yet.

    `observer` hears of everything that happens; none: `metrics`. Checkpoints are tried in `trials`, and judgements
    derived in `derivations`; none: in this process. Raises DataFolderInUse if another process has the folder, and
    SigningKeyError or TracingUnavailable for a setting that cannot be met.
    """
    traces = tracing.exporting() if settings.tracing else Tracing()
    folder = settings.data_folder
    stores = open_stores(settings)
    corpus = stores.corpus
    backup.clear(folder)
    thread = WritingThread()
    observer = observer or metrics
    headroom = Headroom(settings.headroom.memory, settings.headroom.disk, settings.data_dir)
    models = open_models(settings, stores, headroom, thread, traces, observer, trials or InThisProcess())
    keywords = open_keywords(settings, corpus.documents)
    serving = _serving(settings, stores, keywords, headroom, models, thread, observer)
    replicated = replication(settings, stores, models, serving, keywords, thread, observer)
    retrieval = Retrieval(keywords, corpus.documents)
    shadow = Shadow(serving.generations, retrieval, models.encoding)
    closed = not settings.open_data and not is_loopback(settings.host)
    changes = Changes(corpus.records, serving.generations, settings.retention.hours)
    reloads = _reloads(settings, corpus, serving, models, _Searching(keywords, retrieval, shadow), thread, observer)
    count(replicated, stores, serving, metrics)
    return Parts(
        settings=settings,
        headroom=headroom,
        tracing=traces,
        observer=observer,
        metrics=metrics,
        keyring=Keyring(settings.keys_path, keys_of_settings(settings), closed=closed),
        stores=stores,
        corpus=corpus,
        keywords=keywords,
        thread=thread,
        models=models,
        serving=serving,
        search=RerankedSearch(
            Search(corpus.documents, keywords, retrieval, models.encoding, [shadow], traces),
            models.scoring,
            models.rerankers,
        ),
        learning=Learning(stores.feedback, stores.derivations, settings, corpus, retrieval, thread, derivations),
        writing=_writing(corpus, serving, models, keywords, thread, observer, replicated),
        replication=replicated,
        reloads=reloads,
        shared_orders=SharedOrders(reloads, Jobs(corpus, thread), corpus.records) if stores.shared else None,
        changes=changes,
        webhook=open_webhook(settings.webhook, changes, corpus.records, thread),
    )


def _writing(
    corpus: CorpusStore,
    serving: Serving,
    models: Models,
    keywords: KeywordIndex,
    thread: WritingThread,
    observer: Observer,
    replicated: Replication | None,
) -> Writing:
    following = None if replicated is None else replicated.following
    return Writing(corpus.documents, serving.generations, models.encoding, keywords, thread, observer, following)


@dataclass(frozen=True)
class _Searching:
    keywords: KeywordIndex
    retrieval: Retrieval
    shadow: Shadow


def _serving(
    settings: Settings,
    stores: Stores,
    keywords: KeywordIndex,
    headroom: Headroom,
    models: Models,
    thread: WritingThread,
    observer: Observer,
) -> Serving:
    corpus = stores.corpus
    documents, indexes = corpus.documents, open_indexes(settings, stores.database)
    generations = Generations(
        corpus.records, thread, stores.coordination, retain=settings.retain, aliases=settings.aliases, observer=observer
    )
    builder = Builder(
        documents=documents,
        generations=generations,
        encoding=models.encoding,
        indexes=indexes,
        headroom=headroom,
        thread=thread,
        observer=observer,
    )
    housekeeping = Housekeeping(
        documents=documents,
        generations=generations,
        loader=models.loader,
        indexes=indexes,
        keep_vectors=settings.retention.vectors,
        thread=thread,
        observer=observer,
    )
    activation = Activation(generations, builder, stores.replicas, thread, observer)
    restore = Restore(
        activation=activation,
        builder=builder,
        housekeeping=housekeeping,
        loader=models.loader,
        generations=generations,
        keywords=keywords,
        observer=observer,
    )
    calibration = Calibration(corpus.records, documents, models.encoding, thread)
    return Serving(generations, builder, housekeeping, activation, restore, calibration)


def _reloads(
    settings: Settings,
    corpus: CorpusStore,
    serving: Serving,
    models: Models,
    searching: _Searching,
    thread: WritingThread,
    observer: Observer,
) -> Reloads:
    loader = models.loader
    generations, jobs = serving.generations, Jobs(corpus, thread)
    judged = JudgedQueries(corpus.judgements, corpus.documents)
    retrieval, shadow, encoding = searching.retrieval, searching.shadow, models.encoding
    judge = Judge(judged, retrieval, encoding, settings.gate)
    balancing = Balancing(corpus, searching.keywords, retrieval, encoding)
    of_rerankers = RerankerJudge(judged, retrieval, corpus.documents, encoding, models.scoring, settings.gate)
    gate = Gate(judge=judge, balancing=balancing, shadow=shadow, generations=generations, jobs=jobs, observer=observer)
    stages = Stages(
        activation=serving.activation,
        builder=serving.builder,
        generations=generations,
        gate=gate,
        loader=loader,
        jobs=jobs,
        observer=observer,
    )
    return Reloads(
        stages=StagesOfKinds(
            stages, RerankerStages(models.rerankers, generations, of_rerankers, models.reranker_loader, jobs, observer)
        ),
        jobs=jobs,
        loader=loader,
        generations=generations,
        gate=gate,
        housekeeping=serving.housekeeping,
        observer=observer,
    )
