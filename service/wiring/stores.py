"""The stores of everything that must not be lost, and who else works there: chosen by `INSTAR_STORE`."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from service.cluster.alone import Alone, NoReplicas
from service.cluster.base import Coordination, LentPortions, Replicas, Requests
from service.corpus.base import ChangeLog, CorpusStore
from service.corpus.sqlite.store import SqliteStore
from service.errors import StorageFailed
from service.index.origin import require_origin
from service.learning.base import FeedbackStore
from service.learning.derivations import Derivations, OwnDerivations
from service.learning.sqlite.store import SqliteFeedbackStore
from service.machine.folder_lock import locked
from service.settings import Settings
from service.wiring.moving.unfinished import refuse_unfinished

# Seconds that a rollback or a reload waits for a short step of another replica that leads.
_PATIENCE = 3.0

if TYPE_CHECKING:
    from service.cluster.heartbeats import Heartbeats
    from service.cluster.overview import PostgresOverview
    from service.cluster.postgres import PostgresCoordination
    from service.postgres.database import Database


@dataclass(frozen=True)
class Shared:
    """A store that several processes work on. `identity`, `name` and `lead` are this process's."""

    database: Database
    log: ChangeLog
    heartbeats: Heartbeats
    requests: Requests
    sharing: LentPortions
    identity: UUID
    name: str
    lead: PostgresCoordination
    overview: PostgresOverview


@dataclass(frozen=True)
class Stores:
    """The corpus, what users do, and the other processes on both. `shared` is None if there are none."""

    corpus: CorpusStore
    feedback: FeedbackStore
    derivations: Derivations
    coordination: Coordination = field(default_factory=Alone)
    replicas: Replicas = field(default_factory=NoReplicas)
    shared: Shared | None = None
    # Closes what the stores do not close themselves.
    close: Callable[[], None] = lambda: None

    @property
    def database(self) -> Database | None:
        """The database that has everything, if there is one."""
        return None if self.shared is None else self.shared.database


def open_stores(settings: Settings) -> Stores:
    """Open what the settings choose.

    Raises DataFolderInUse if another process has the data folder, and StorageFailed if a store cannot be used.
    """
    if settings.store is None:
        folder = settings.data_folder
        refuse_unfinished(folder)
        corpus = SqliteStore(folder, settings.limits.judgements)
        require_origin(folder, None)
        return Stores(corpus, SqliteFeedbackStore(folder.learning), OwnDerivations(corpus.judgements))
    return _in_postgres(settings, settings.store.get_secret_value())


def _in_postgres(settings: Settings, url: str) -> Stores:
    try:
        # Imported here, so that an installation without the extra can use the data folder.
        from service.cluster import shared_keys  # noqa: PLC0415
        from service.cluster.heartbeats import Heartbeats  # noqa: PLC0415
        from service.cluster.overview import PostgresOverview  # noqa: PLC0415
        from service.cluster.portions import Portions  # noqa: PLC0415
        from service.cluster.postgres import PostgresCoordination  # noqa: PLC0415
        from service.cluster.replicas import PostgresReplicas  # noqa: PLC0415
        from service.cluster.request import PostgresRequests  # noqa: PLC0415
        from service.cluster.sharing import Sharing  # noqa: PLC0415
        from service.corpus.postgres.store import PostgresStore  # noqa: PLC0415
        from service.learning.postgres.derivations import PostgresDerivations  # noqa: PLC0415
        from service.learning.postgres.store import PostgresFeedbackStore  # noqa: PLC0415
        from service.postgres.database import Database  # noqa: PLC0415
    except ImportError as error:
        raise StorageFailed(f"INSTAR_STORE needs `pip install 'instar[postgresql]'` ({error})") from error
    options, folder = settings.replicas, settings.data_folder
    with ExitStack() as opened:
        # What is derived lies in the data folder still: one process has it, as without PostgreSQL.
        opened.enter_context(locked(folder))
        database = Database(url, options.db_schema, connections=options.connections)
        require_origin(folder, shared_keys.identity(database))
        for key in (settings.secrets_folder.pseudonyms_key, settings.secrets_folder.console_key):
            shared_keys.require_common(database, key)
        coordination = PostgresCoordination(database, patience=_PATIENCE)
        corpus = PostgresStore(database, settings.limits.judgements, coordination.fence)
        heartbeats, portions, identity = Heartbeats(database), Portions(database), uuid4()
        sharing = Sharing(portions, identity, coordination.fence)
        return Stores(
            corpus,
            # It closes its own.
            PostgresFeedbackStore(Database(url, options.db_schema, connections=options.connections)),
            PostgresDerivations(database, corpus.judgements.change),
            coordination,
            PostgresReplicas(
                corpus.records, heartbeats, sharing, identity, options.prepare_seconds, coordination.require_lead
            ),
            Shared(
                database=database,
                log=corpus.log,
                heartbeats=heartbeats,
                requests=PostgresRequests(corpus.records, heartbeats, portions, identity),
                sharing=sharing,
                identity=identity,
                name=options.name or socket.gethostname(),
                lead=coordination,
                overview=PostgresOverview(database),
            ),
            opened.pop_all().close,
        )
