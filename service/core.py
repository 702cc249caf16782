"""The service without HTTP: its parts, put together from the settings, and their start and stop."""

import asyncio
import logging
from datetime import UTC, datetime

from service import sample
from service.access.allowance import Allowances
from service.access.keyring import Keyring, Scope
from service.checkpoints.catalogue import Catalogue, base_folder
from service.checkpoints.signature import Trusted
from service.corpus.base import DEFAULT_COLLECTION, CorpusStore
from service.corpus.sqlite.store import SqliteStore
from service.generations import backup
from service.generations.activation import Activation
from service.generations.builder import Builder
from service.generations.changes import Changes
from service.generations.errors import starting
from service.generations.generations import Generations
from service.generations.housekeeping import Housekeeping
from service.generations.startup import Startup
from service.generations.webhook import Webhook
from service.index.choice import open_indexes
from service.machine import resources
from service.machine.children import Children, InThisProcess
from service.machine.resources import Headroom
from service.machine.writer import WritingThread
from service.models.base import LANES
from service.models.encoders import Encoders, Trials
from service.models.encoding import Encoding
from service.models.loader import Loader
from service.models.scheduling.scheduler import Scheduler
from service.models.torch_model import device_here
from service.observability import tracing
from service.observability.observer import Observer
from service.observability.steps import Reached, unwatched
from service.observability.telemetry import Telemetry
from service.observability.tracing import Tracing
from service.reload.gate import Gate
from service.reload.job import ENDS
from service.reload.jobs import Jobs
from service.reload.judging import Judging
from service.reload.runner import Reloads
from service.reload.shadow import Shadow
from service.reload.stages import Stages
from service.search.query import Search
from service.search.retrieval import Retrieval
from service.settings import Settings, is_loopback
from service.writing.writing import Writing

log = logging.getLogger(__name__)

_SEAL_EVERY = 5.0
# Longer than any search takes: what dies is kept that long for those that have found it.
_PURGE_EVERY = 60.0


class Core:
    """What the routes call. One instance is one service on one data folder."""

    def __init__(self, settings: Settings, reached: Reached = unwatched, children: Children | None = None) -> None:
        """Open the data folder; raises DataFolderInUse if another process has it, and KeyUnusable or
        TracingUnavailable for a setting that cannot be met. Nothing is loaded yet.

        `reached` is told of every step. Checkpoints are tried in `children`; none: in this process.
        """
        self.settings = settings
        self.ready = False
        self.failure: str | None = None
        self.stopping = asyncio.Event()
        self.tracing = tracing.exporting() if settings.tracing else Tracing()
        self.corpus: CorpusStore = SqliteStore(settings.data_dir, settings.limits.judgements)
        backup.clear(settings.data_dir)
        self.thread = WritingThread()
        self.documents = self.corpus.documents
        self.records = self.corpus.records
        self.judgements = self.corpus.judgements
        self.generations = Generations(
            self.records, self.thread, retain=settings.retain, aliases=settings.aliases, reached=reached
        )
        processors = settings.compute.cores or resources.processors()
        self.telemetry = Telemetry(LANES, ENDS)
        observer = Observer(self.telemetry, reached)
        self.scheduler = Scheduler.suited(
            settings, processors, device_here(), observe=observer.batch, traced=self.tracing
        )
        closed = not settings.open_data and not is_loopback(settings.host)
        self.keyring = Keyring(settings.keys_path, _given(settings), closed=closed)
        self.allowances = Allowances()
        self.encoding = Encoding(self.scheduler, self.allowances.spend, self.tracing)
        self.catalogue = Catalogue(
            settings.checkpoints_dir,
            settings.data_dir / "checkpoints",
            allow_hub=settings.allow_hub,
            max_size=settings.limits.checkpoint,
            disk_reserve=settings.headroom.disk,
            trusted=Trusted.read(settings.signers_file) if settings.signers_file else None,
            reached=reached,
        )
        trials = Trials(children or InThisProcess(), settings.compute.trial_seconds)
        encoders = Encoders(settings.engine, settings.data_dir / "engines", processors, self.documents.sample, trials)
        headroom = Headroom(settings.headroom.memory, settings.headroom.disk, settings.data_dir)
        loader = Loader(self.catalogue, encoders, self.encoding, headroom)
        indexes = open_indexes(settings)
        self.builder = Builder(
            documents=self.documents,
            generations=self.generations,
            encoding=self.encoding,
            indexes=indexes,
            headroom=headroom,
            thread=self.thread,
            reached=reached,
        )
        self.housekeeping = Housekeeping(
            documents=self.documents,
            generations=self.generations,
            loader=loader,
            indexes=indexes,
            keep_vectors=settings.retention.vectors,
            thread=self.thread,
            reached=reached,
        )
        self.activation = Activation(self.generations, self.builder, self.thread, reached)
        retrieval = Retrieval(self.corpus.keywords, self.documents)
        shadow = Shadow(self.generations, retrieval, self.encoding)
        jobs = Jobs(self.records, self.thread)
        gate = Gate(
            judging=Judging(self.judgements, self.documents, self.encoding, settings.gate.max_loss),
            shadow=shadow,
            generations=self.generations,
            jobs=jobs,
            observer=observer,
        )
        stages = Stages(
            activation=self.activation,
            builder=self.builder,
            generations=self.generations,
            gate=gate,
            loader=loader,
            jobs=jobs,
            observer=observer,
        )
        self.reloads = Reloads(
            stages=stages,
            jobs=jobs,
            loader=loader,
            generations=self.generations,
            gate=gate,
            housekeeping=self.housekeeping,
            observer=observer,
        )
        self.startup = Startup(
            activation=self.activation,
            builder=self.builder,
            housekeeping=self.housekeeping,
            loader=loader,
            documents=self.documents,
            generations=self.generations,
            reached=reached,
        )
        self.changes = Changes(self.records, settings.retention.hours)
        self._webhook: Webhook | None = None
        if settings.webhook.url is not None:
            secret = settings.webhook.secret
            self._webhook = Webhook(
                str(settings.webhook.url),
                secret.get_secret_value() if secret else None,
                changes=self.changes,
                records=self.records,
                thread=self.thread,
            )
        self.search = Search(self.corpus, retrieval, self.encoding, [shadow], self.tracing)
        self.writing = Writing(self.documents, self.generations, self.encoding, self.thread, reached)

    async def start(self) -> None:
        """Bring back what was active, and return when it answers."""
        self.scheduler.start()
        self.encoding.answering = False
        await self.startup.run(self.settings.model, self.reloads.unfinished())
        if self.settings.sample:
            await self._add_sample()
        self.ready = self.encoding.answering = True
        await self.reloads.resume()

    async def _add_sample(self) -> None:
        """Something to try: documents, unless there ever were any, and a second checkpoint."""
        self.startup.stage = "indexing the sample corpus"
        if self.documents.last_seq() == 0:
            await self.writing.put(DEFAULT_COLLECTION, sample.documents(), patient=True)
        base = base_folder()
        if base is not None:
            await asyncio.to_thread(sample.write_checkpoint, base, self.settings.checkpoints_dir)

    async def maintain(self) -> None:
        """Keep house, and tell the webhook of changes, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_house())
            if self._webhook is not None:
                group.create_task(self._webhook.run())

    async def _keep_house(self) -> None:
        """Seal what has grown large, remove what is long dead, and let go of generations whose time is over."""
        clock = asyncio.get_running_loop().time
        purged = clock()
        while True:
            await asyncio.sleep(_SEAL_EVERY)
            await self.builder.seal()
            for number in await asyncio.to_thread(self.changes.outlived, datetime.now(UTC)):
                await self.generations.release(number)
            if clock() - purged >= _PURGE_EVERY:
                await self.housekeeping.purge()
                purged = clock()

    async def stop(self) -> None:
        """Interrupt a reload, end what is under way and close the data folder."""
        self.ready = False
        await self.reloads.stop()
        if self.scheduler.alive:
            await asyncio.to_thread(self.scheduler.stop)
        self.encoding.close()
        await asyncio.to_thread(self.thread.close)
        for index in self.generations.indexes():
            await asyncio.to_thread(index.close)
        self.corpus.close()
        await asyncio.to_thread(self.tracing.stop)

    def require_ready(self) -> None:
        """Raise NotReady unless requests can be answered."""
        if not self.ready:
            raise starting(self.startup.stage)


def _given(settings: Settings) -> dict[str, tuple[str, frozenset[Scope]]]:
    """The keys that the settings hold, by the name of the setting."""
    data: frozenset[Scope] = frozenset(("embed", "search", "write"))
    admin: frozenset[Scope] = frozenset(("admin",))
    # Where both are the same, it is found as the one that may do everything.
    both = (("INSTAR_ADMIN_KEY", settings.admin_key, admin), ("INSTAR_API_KEY", settings.api_key, data))
    return {name: (key.get_secret_value(), scopes) for name, key, scopes in both if key is not None}
