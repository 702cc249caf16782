"""A service as one of several replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.generations.canaries import Canaries
from service.generations.joining import Joining
from service.generations.prepared import PreparedGenerations
from service.index.keywords.base import KeywordIndex
from service.machine.writer import WritingThread
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

    canaries = Canaries(corpus.documents, models.encoding)
    generations = PreparedGenerations(models.loader, serving.builder, serving.generations, canaries)
    joining = Joining(shared.identity, corpus.records, {"dense": generations, "reranker": models.rerankers}, thread)
    following = Following(
        shared.log, corpus.documents, keywords, serving.generations, serving.builder, thread, joining.adopt
    )
    return Replication(
        shared.identity, shared.name, following, joining, shared.heartbeats, serving.generations, settings.replicas
    )
