"""A service as one of several replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.api.replica_metrics import ReplicaMetrics
from service.generations.canaries import Canaries
from service.generations.joining import Joining
from service.index.keywords.base import KeywordIndex
from service.machine.writer import WritingThread
from service.observability.metrics import Metrics
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
) -> Replication | None:
    """Put together what follows the other replicas; None if the store is of one process alone."""
    shared, corpus = stores.shared, stores.corpus
    if shared is None:
        return None
    # Imported here, because it knows PostgreSQL, which is an extra.
    from service.writing.replication import Replication  # noqa: PLC0415

    joining = Joining(
        shared.identity,
        corpus.records,
        models.loader,
        serving.builder,
        serving.generations,
        Canaries(corpus.documents, models.encoding),
        thread,
    )
    following = Following(
        shared.log, corpus.documents, keywords, serving.generations, serving.builder, thread, joining.adopt
    )
    return Replication(
        shared.identity, shared.name, following, joining, shared.heartbeats, serving.generations, settings.replicas
    )


def count(replicated: Replication | None, stores: Stores, serving: Serving, metrics: Metrics) -> None:
    """Add the metrics of a replica; a process that is alone has none of them."""
    shared = stores.shared
    if replicated is not None and shared is not None:
        follower, generations = replicated.following, serving.generations
        metrics.registry.register(ReplicaMetrics(follower, generations, shared.overview, shared.lead))
