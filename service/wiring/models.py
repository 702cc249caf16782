"""The parts that load checkpoints and compute with them."""

from dataclasses import dataclass
from functools import partial

from service.access.limits import RateLimits
from service.checkpoints.lookup import open_lookup
from service.checkpoints.registry import Registry
from service.corpus.base import CorpusStore
from service.generations.rerankers import Rerankers, recorded
from service.machine import resources
from service.machine.children import Children
from service.machine.resources import Headroom
from service.machine.writer import WritingThread
from service.models.encoder_factory import EncoderFactory, RerankerFactory, Trials
from service.models.encoding import Encoding
from service.models.loader import Loader, RerankerLoader
from service.models.scheduling.scheduler import Scheduler
from service.models.scoring import Scoring
from service.models.torch_model import device_here
from service.models.windowing import windowings_of
from service.observability.observer import Observer
from service.observability.tracing import Tracing
from service.settings import Settings
from service.wiring.stores import Stores


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


def open_models(
    settings: Settings,
    stores: Stores,
    headroom: Headroom,
    thread: WritingThread,
    traces: Tracing,
    observer: Observer,
    trials: Children,
) -> Models:
    """Put the parts together; nothing is loaded yet. Checkpoints are tried in `trials`."""
    corpus = stores.corpus
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
        rerankers=Rerankers(
            corpus.records,
            thread,
            reranker_loader,
            settings.aliases,
            observer,
            stores.coordination,
            stores.replicas,
        ),
        reranker_loader=reranker_loader,
        limits=limits,
    )


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
