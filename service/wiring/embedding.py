"""The parts of processes that embed documents for a shared store, and answer nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Self

from service.checkpoints.checkpoint import Checkpoint
from service.cluster.alone import Alone
from service.cluster.portion import Portion, cut, embed_here
from service.errors import CheckpointRefused, StorageFailed
from service.generations.builder import Builder
from service.generations.generations import Generations
from service.generations.unembedded import Unembedded
from service.index.choice import open_indexes
from service.machine.children import InThisProcess
from service.machine.folder_lock import DataFolderInUse, locked
from service.machine.resources import Headroom
from service.machine.writer import WritingThread
from service.models.windowing import windowings_of
from service.observability.observer import Unobserved
from service.observability.tracing import Tracing
from service.settings import Settings
from service.settings.data_folder import DataFolder
from service.wiring.models import open_embedding

if TYPE_CHECKING:
    from service.corpus.base import CorpusStore
    from service.postgres.database import Database


class Embedder:
    """Embeds documents of the store with one checkpoint, and stores their vectors, as a service would.

    It is for one thread. What it keeps of the checkpoint lies in a folder of its own in the data folder.
    """

    def __init__(self, settings: Settings, model: str, identity: str | None = None) -> None:
        """Load the checkpoint of that name; with `identity` it must be that one.

        Raises StorageFailed if the store cannot be used, and NotFound or CheckpointRefused if the checkpoint cannot.
        """
        with ExitStack() as opened:
            settings = settings.model_copy(update={"data_dir": opened.enter_context(_free_folder(settings)).path})
            database, corpus = _opened_corpus(settings)
            opened.callback(corpus.close)
            headroom = Headroom(settings.headroom.memory, settings.headroom.disk, settings.data_dir)
            observer, thread = Unobserved(), WritingThread()
            opened.callback(thread.close)
            # A crash of native code costs this process alone, so no child is needed to try the checkpoint in.
            models = open_embedding(settings, corpus, headroom, Tracing(), observer, InThisProcess())
            models.scheduler.start()
            opened.callback(models.encoding.close)
            opened.callback(models.scheduler.stop)
            models.encoding.answering = False
            self._runner = opened.enter_context(asyncio.Runner())
            self.checkpoint = models.loader.install(model)
            _require_identity(self.checkpoint, identity)
            models.loader.forget({self.checkpoint.id})
            self._encoder = models.loader.load(self.checkpoint.id)
            self._runner.run(models.loader.probe(self._encoder))
            indexes = open_indexes(settings, database)
            self._builder = Builder(
                documents=corpus.documents,
                generations=Generations(
                    corpus.records, thread, Alone(), retain=0, aliases=settings.aliases, observer=observer
                ),
                encoding=models.encoding,
                indexes=indexes,
                headroom=headroom,
                thread=thread,
                observer=observer,
            )
            self._index = indexes.open(self.checkpoint.fingerprint, self._encoder.dimensions)
            self._close = opened.pop_all().close

    def drop_other_windows(self) -> None:
        """Forget the stored vectors of documents that the settings cut in another way."""
        self._runner.run(self._builder.drop_other_windows(self._encoder, self._index))

    def embed(self, portion: Portion) -> None:
        """Embed those documents of the portion that still have no vector; raises InstarError."""
        parts = cut(self._index.store.missing(portion.seqs), portion.windowing)
        self._runner.run(embed_here(parts, partial(self._builder.embed_portion, self._encoder, self._index), _unheard))

    def close(self) -> None:
        """Let go of the store, the model and the folder."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def unembedded(settings: Settings, fingerprint: str) -> Iterator[Unembedded]:
    """Open the store for a look at the documents without a vector of the fingerprint; raises StorageFailed."""
    database, corpus = _opened_corpus(settings)
    try:
        yield Unembedded(corpus.documents, open_indexes(settings, database), windowings_of(settings), fingerprint)
    finally:
        corpus.close()


def _unheard(documents: int) -> None:
    """Nobody waits for a part of a portion."""


def _opened_corpus(settings: Settings) -> tuple[Database, CorpusStore]:
    if settings.store is None:
        raise StorageFailed("there is no store that other machines could reach: name one in INSTAR_STORE")
    try:
        from service.corpus.postgres.store import PostgresStore  # noqa: PLC0415
        from service.postgres.database import Database  # noqa: PLC0415
    except ImportError as error:
        raise StorageFailed(f"a store that other machines reach needs `pip install 'instar[ray]'` ({error})") from error
    options = settings.replicas
    database = Database(settings.store.get_secret_value(), options.db_schema, connections=options.connections)
    return database, PostgresStore(database, settings.limits.judgements)


@contextmanager
def _free_folder(settings: Settings) -> Iterator[DataFolder]:
    """Lock the first folder for an embedding process in which none is at work."""
    for number in count(1):
        folder = settings.data_folder.embedding(number)
        with ExitStack() as opened:
            try:
                opened.enter_context(locked(folder))
            except DataFolderInUse:
                continue
            yield folder
            return


def _require_identity(checkpoint: Checkpoint, identity: str | None) -> None:
    if identity is not None and checkpoint.id != identity:
        raise CheckpointRefused(
            f"{checkpoint.name} is {checkpoint.id} on this machine and {identity} on another: let all machines read the"
            " same checkpoints"
        )
