"""A service as one of several replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.api.replica_metrics import ReplicaMetrics
from service.generations.canaries import Canaries
from service.generations.helping import Helping
from service.generations.joining import Joining
from service.generations.prepared import PreparedGenerations
from service.index.keywords.base import KeywordIndex
from service.machine.writer import WritingThread
from service.observability.metrics import Metrics
from service.observability.observer import Observer
from service.settings import Settings
from service.wiring.models import Models
from service.wiring.stores import Stores
from service.writing.following import Following

if TYPE_CHECKING:
    from service.wiring.build import Serving
    from service.writing.replication import Replication


def replication(
    settings: Settings,
    stores: Stores,
    models: Models,
    serving: Serving,
    keywords: KeywordIndex,
    thread: WritingThread,
    observer: Observer,
) -> Replication | None:
    """Put together what follows the other replicas; None if the store is of one process alone."""
    shared, corpus = stores.shared, stores.corpus
    if shared is None:
        return None
    # Imported here, because it knows PostgreSQL, which is an extra.
    from service.writing.replication import Replication  # noqa: PLC0415

    canaries = Canaries(corpus.documents, models.encoding, observer)
    helping = Helping(shared.sharing, serving.builder, canaries)
    generations = PreparedGenerations(models.loader, serving.builder, serving.generations, helping, canaries)
    joining = Joining(shared.requests, {"dense": generations, "reranker": models.rerankers}, thread)
    following = Following(
        shared.log, corpus.documents, keywords, serving.generations, serving.builder, thread, joining.adopt
    )
    return Replication(
        shared.identity, shared.name, following, joining, shared.heartbeats, serving.generations, settings.replicas
    )


def count(replicated: Replication | None, stores: Stores, serving: Serving, metrics: Metrics) -> None:
    """Have the metrics tell of the other replicas, if there are some."""
    shared = stores.shared
    if replicated is not None and shared is not None:
        of_replicas = ReplicaMetrics(replicated.following, serving.generations, shared.overview, shared.lead)
        metrics.registry.register(of_replicas)
