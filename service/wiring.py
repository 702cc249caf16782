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
from service.generations.webhook import Webhook
from service.index.choice import open_indexes
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
from service.models.windowing import TRUNCATED, Windowing, Windowings
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
    encoding, limits, scheduler = _encoding(settings, traces, observer)
    registry = Registry(open_lookup(settings), headroom, observer)
    factories = _factories(settings, corpus, Trials(trials or InThisProcess(), settings.compute.trial_seconds))
    reranker_loader = RerankerLoader(registry, factories.rerankers, encoding, headroom)
    models = Models(
        registry=registry,
        loader=Loader(registry, factories.encoders, encoding, headroom, partial(recorded, corpus.records)),
        scheduler=scheduler,
        encoding=encoding,
        scoring=Scoring(encoding),
        rerankers=Rerankers(corpus.records, thread, reranker_loader, settings.aliases, observer),
        reranker_loader=reranker_loader,
        limits=limits,
    )
    serving = _serving(settings, corpus, headroom, models, thread, observer)
    retrieval = Retrieval(corpus.keywords, corpus.documents)
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
        thread=thread,
        models=models,
        serving=serving,
        search=RerankedSearch(
            Search(corpus, retrieval, models.encoding, [shadow], traces), models.scoring, models.rerankers
        ),
        learning=Learning(SqliteFeedbackStore(folder.learning), settings, corpus, thread, derivations),
        writing=Writing(corpus.documents, serving.generations, models.encoding, thread, observer),
        reloads=_reloads(settings, corpus, serving, models, Jobs(corpus, thread), shadow, observer),
        changes=changes,
        webhook=_webhook(settings, changes, corpus, thread),
    )


@dataclass(frozen=True)
class _Factories:
    encoders: EncoderFactory
    rerankers: RerankerFactory


def _encoding(settings: Settings, traces: Tracing, observer: Observer) -> tuple[Encoding, RateLimits, Scheduler]:
    scheduler = Scheduler.suited(settings, _processors(settings), device_here(), observer=observer, traced=traces)
    limits = RateLimits()
    return Encoding(scheduler, limits.charge_tokens, traces, _windowings(settings)), limits, scheduler


def _factories(settings: Settings, corpus: CorpusStore, trials: Trials) -> _Factories:
    folder, processors, sample = settings.data_folder.engines, _processors(settings), corpus.documents.sample
    return _Factories(
        EncoderFactory(settings.engine, folder, processors, sample, trials),
        RerankerFactory(settings.engine, folder, processors, sample, trials),
    )


def _processors(settings: Settings) -> int:
    return settings.compute.cores or resources.processors()


def _serving(
    settings: Settings,
    corpus: CorpusStore,
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
        observer=observer,
    )
    calibration = Calibration(corpus.records, documents, models.encoding, thread)
    return Serving(generations, builder, housekeeping, activation, restore, calibration)


def _reloads(
    settings: Settings,
    corpus: CorpusStore,
    serving: Serving,
    models: Models,
    jobs: Jobs,
    shadow: Shadow,
    observer: Observer,
) -> Reloads:
    loader = models.loader
    generations = serving.generations
    judged = JudgedQueries(corpus.judgements, corpus.documents)
    retrieval, encoding = Retrieval(corpus.keywords, corpus.documents), models.encoding
    judge, balancing = Judge(judged, retrieval, encoding, settings.gate), Balancing(corpus, retrieval, encoding)
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


def _webhook(settings: Settings, changes: Changes, corpus: CorpusStore, thread: WritingThread) -> Webhook | None:
    if settings.webhook.url is None:
        return None
    secret = settings.webhook.secret
    return Webhook(
        str(settings.webhook.url),
        secret.get_secret_value() if secret else None,
        changes=changes,
        records=corpus.records,
        thread=thread,
    )


def _windowings(settings: Settings) -> Windowings:
    if settings.long == "truncate":
        return TRUNCATED
    windows = settings.windows
    others = {name: Windowing(other.overlap, other.most) for name, other in windows.collections.items()}
    return Windowings(Windowing(windows.overlap, windows.most), others)
