"""The parts that load checkpoints and compute with them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

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
from service.settings import EngineChoice, Settings
from service.wiring.stores import Stores


@dataclass(frozen=True)
class EmbeddingModels:
    """Checkpoints of embedding models, and what loads and computes them."""

    registry: Registry
    loader: Loader
    scheduler: Scheduler
    encoding: Encoding
    limits: RateLimits


@dataclass(frozen=True)
class Models(EmbeddingModels):
    """Checkpoints of all kinds, and what loads and computes them."""

    scoring: Scoring
    rerankers: Rerankers
    reranker_loader: RerankerLoader


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
    embedding = open_embedding(settings, corpus, headroom, traces, observer, trials)
    factory = RerankerFactory(*_computing(settings, corpus, trials))
    loader = RerankerLoader(embedding.registry, factory, embedding.encoding, headroom)
    return Models(
        registry=embedding.registry,
        loader=embedding.loader,
        scheduler=embedding.scheduler,
        encoding=embedding.encoding,
        limits=embedding.limits,
        scoring=Scoring(embedding.encoding),
        rerankers=Rerankers(
            corpus.records, thread, loader, settings.aliases, observer, stores.coordination, stores.replicas
        ),
        reranker_loader=loader,
    )


def open_embedding(
    settings: Settings,
    corpus: CorpusStore,
    headroom: Headroom,
    traces: Tracing,
    observer: Observer,
    trials: Children,
) -> EmbeddingModels:
    """Put together what embeds; nothing is loaded yet. Checkpoints are tried in `trials`."""
    scheduler = Scheduler.suited(settings, _processors(settings), device_here(), observer=observer, traced=traces)
    limits = RateLimits()
    encoding = Encoding(scheduler, limits.charge_tokens, traces, windowings_of(settings))
    registry = Registry(open_lookup(settings), headroom, observer)
    factory = EncoderFactory(*_computing(settings, corpus, trials))
    loader = Loader(registry, factory, encoding, headroom, partial(recorded, corpus.records))
    return EmbeddingModels(registry, loader, scheduler, encoding, limits)


def _computing(
    settings: Settings, corpus: CorpusStore, trials: Children
) -> tuple[EngineChoice, Path, int, Callable[[int], Sequence[str]], Trials]:
    """The choice of how models are computed, as a factory of them needs it."""
    return (
        settings.engine,
        settings.data_folder.engines,
        _processors(settings),
        corpus.documents.sample,
        Trials(trials, settings.compute.trial_seconds),
    )


def _processors(settings: Settings) -> int:
    return settings.compute.cores or resources.processors()
