"""The composition root: from the settings to the parts of a service. It alone knows every implementation."""

from dataclasses import dataclass
from functools import partial

from service.access.keyring import Keyring
from service.access.limits import RateLimits
from service.access.settings_keys import keys_of_settings
from service.checkpoints.lookup import open_lookup
from service.checkpoints.registry import Registry
from service.cluster.alone import Alone
from service.corpus.base import CorpusStore
from service.corpus.sqlite.store import SqliteStore
from service.generations import backup
from service.generations.activation import Activation
from service.generations.builder import Builder
from service.generations.calibration import Calibration
from service.generations.changes import Changes
from service.generations.generations import Generations
from service.generations.housekeeping import Housekeeping
from service.generations.rerankers import Rerankers, recorded
from service.generations.restore import Restore
from service.generations.webhook import Webhook, open_webhook
from service.index.choice import open_indexes, open_keywords
from service.index.keywords.base import KeywordIndex
from service.learning.learning import Learning
from service.learning.sqlite.store import SqliteFeedbackStore
from service.machine import resources
from service.machine.children import Children, InThisProcess
from service.machine.resources import Headroom
from service.machine.writer import WritingThread
from service.models.base import LANES
from service.models.encoder_factory import EncoderFactory, RerankerFactory, Trials
from service.models.encoding import Encoding
from service.models.loader import Loader, RerankerLoader
from service.models.scheduling.scheduler import Scheduler
from service.models.scoring import Scoring
from service.models.torch_model import device_here
from service.models.windowing import windowings_of
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
from service.reload.reranker_judge import RerankerJudge
from service.reload.reranking import RerankerStages
from service.reload.runner import Reloads, StagesOfKinds
from service.reload.shadow import Shadow
from service.reload.stages import Stages
from service.search.query import Search
from service.search.rerank import RerankedSearch
from service.search.retrieval import Retrieval
from service.settings import Settings, is_loopback
from service.writing.writing import Writing


@dataclass(frozen=True)
class Models:
    """Checkpoints, and what loads and computes them."""

    registry: Registry
    loader: Loader
    scheduler: Scheduler
    encoding: Encoding
    scoring: Scoring
    rerankers: Rerankers
    reranker_loader: RerankerLoader
    limits: RateLimits


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
    corpus: CorpusStore
    keywords: KeywordIndex
    thread: WritingThread
    models: Models
    serving: Serving
    search: RerankedSearch
    learning: Learning
    writing: Writing
    reloads: Reloads
    changes: Changes
    webhook: Webhook | None


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
    corpus = SqliteStore(folder, settings.limits.judgements)
    backup.clear(folder)
    thread = WritingThread()
    observer = observer or metrics
    headroom = Headroom(settings.headroom.memory, settings.headroom.disk, settings.data_dir)
    models = _models(settings, corpus, headroom, thread, traces, observer, trials or InThisProcess())
    keywords = open_keywords(settings, corpus.documents)
    serving = _serving(settings, corpus, keywords, headroom, models, thread, observer)
    retrieval = Retrieval(keywords, corpus.documents)
    shadow = Shadow(serving.generations, retrieval, models.encoding)
    closed = not settings.open_data and not is_loopback(settings.host)
    changes = Changes(corpus.records, settings.retention.hours)
    return Parts(
        settings=settings,
        headroom=headroom,
        tracing=traces,
        observer=observer,
        metrics=metrics,
        keyring=Keyring(settings.keys_path, keys_of_settings(settings), closed=closed),
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
        learning=Learning(SqliteFeedbackStore(folder.learning), settings, corpus, retrieval, thread, derivations),
        writing=Writing(corpus.documents, serving.generations, models.encoding, keywords, thread, observer),
        reloads=_reloads(settings, corpus, serving, models, _Searching(keywords, retrieval, shadow), thread, observer),
        changes=changes,
        webhook=open_webhook(settings.webhook, changes, corpus.records, thread),
    )


def _models(
    settings: Settings,
    corpus: CorpusStore,
    headroom: Headroom,
    thread: WritingThread,
    traces: Tracing,
    observer: Observer,
    trials: Children,
) -> Models:
    encoding, limits, scheduler = _encoding(settings, traces, observer)
    registry = Registry(open_lookup(settings), headroom, observer)
    encoders, rerankers = _factories(settings, corpus, Trials(trials, settings.compute.trial_seconds))
    reranker_loader = RerankerLoader(registry, rerankers, encoding, headroom)
    return Models(
        registry=registry,
        loader=Loader(registry, encoders, encoding, headroom, partial(recorded, corpus.records)),
        scheduler=scheduler,
        encoding=encoding,
        scoring=Scoring(encoding),
        rerankers=Rerankers(corpus.records, thread, reranker_loader, settings.aliases, observer),
        reranker_loader=reranker_loader,
        limits=limits,
    )


@dataclass(frozen=True)
class _Searching:
    keywords: KeywordIndex
    retrieval: Retrieval
    shadow: Shadow


def _encoding(settings: Settings, traces: Tracing, observer: Observer) -> tuple[Encoding, RateLimits, Scheduler]:
    scheduler = Scheduler.suited(settings, _processors(settings), device_here(), observer=observer, traced=traces)
    limits = RateLimits()
    return Encoding(scheduler, limits.charge_tokens, traces, windowings_of(settings)), limits, scheduler


def _factories(settings: Settings, corpus: CorpusStore, trials: Trials) -> tuple[EncoderFactory, RerankerFactory]:
    folder, processors, sample = settings.data_folder.engines, _processors(settings), corpus.documents.sample
    return (
        EncoderFactory(settings.engine, folder, processors, sample, trials),
        RerankerFactory(settings.engine, folder, processors, sample, trials),
    )


def _processors(settings: Settings) -> int:
    return settings.compute.cores or resources.processors()


def _serving(
    settings: Settings,
    corpus: CorpusStore,
    keywords: KeywordIndex,
    headroom: Headroom,
    models: Models,
    thread: WritingThread,
    observer: Observer,
) -> Serving:
    documents, indexes = corpus.documents, open_indexes(settings)
    generations = Generations(
        corpus.records, thread, Alone(), retain=settings.retain, aliases=settings.aliases, observer=observer
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
    activation = Activation(generations, builder, thread, observer)
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
