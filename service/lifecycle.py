"""The life of a service: its start, its upkeep and its stop."""

import asyncio
import logging
import shutil

from service.corpus.base import DEFAULT_COLLECTION
from service.errors import InstarError
from service.generations.errors import starting
from service.machine import resources
from service.observability import history
from service.observability.history import Gauges
from service.wiring.build import Parts
from service.writing import sample

log = logging.getLogger(__name__)

_SEAL_EVERY = 5.0
# Longer than any search takes. Dead versions stay that long for searches that have found them.
_PURGE_EVERY = 60.0
# Seconds between looks for a reload that another replica has left behind.
_RESUME_EVERY = 2.0
# Seconds between looks for a collection to balance, and after a failure.
_BALANCE_EVERY, _BALANCE_AGAIN = 5.0, 60.0


class Lifecycle:
    """Starts, maintains and stops the parts. `failure` says why maintenance has ended, if it has."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.ready = False
        self.failure: str | None = None
        self.history = history.History()
        self.stopping = asyncio.Event()

    async def start(self) -> None:
        """Restore the generations, and return when the active one answers."""
        parts, models = self._parts, self._parts.models
        models.scheduler.start()
        models.encoding.answering = False
        if parts.replication is not None:
            await parts.thread.run(parts.replication.following.start)
        await parts.serving.restore.run(parts.settings.model, parts.reloads.unfinished)
        await models.rerankers.restore()
        if parts.settings.sample:
            await self._add_sample()
        await asyncio.to_thread(parts.learning.start)
        self.ready = models.encoding.answering = True
        await parts.reloads.resume()

    async def maintain(self) -> None:
        """Keep house, derive judgements, and tell the webhook of changes, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_house())
            group.create_task(self._keep_balance())
            group.create_task(self._keep_history())
            group.create_task(self._parts.learning.deriving.run())
            if self._parts.replication is not None:
                group.create_task(self._parts.replication.run())
                group.create_task(self._keep_resuming())
            if self._parts.stores.shared is not None:
                group.create_task(self._parts.stores.shared.overview.run())
            if self._parts.shared_orders is not None:
                group.create_task(self._parts.shared_orders.run())
            if self._parts.webhook is not None:
                group.create_task(self._parts.webhook.run())

    async def stop(self) -> None:
        """Interrupt a reload, end what is under way and close the data folder."""
        self.ready = False
        parts, models = self._parts, self._parts.models
        await parts.reloads.stop()
        if models.scheduler.alive:
            await asyncio.to_thread(models.scheduler.stop)
        models.encoding.close()
        await asyncio.to_thread(parts.thread.close)
        for index in parts.serving.generations.indexes():
            await asyncio.to_thread(index.close)
        await asyncio.to_thread(parts.learning.close)
        parts.corpus.close()
        await asyncio.to_thread(parts.stores.close)
        await asyncio.to_thread(parts.tracing.stop)

    def require_ready(self) -> None:
        """Raise NotReady unless requests can be answered."""
        if not self.ready:
            raise starting(self._parts.serving.restore.stage)
        if self._parts.replication is not None:
            self._parts.replication.require_current()

    async def _add_sample(self) -> None:
        """Add the sample: its documents, unless the corpus ever had any, and a second checkpoint."""
        parts = self._parts
        parts.serving.restore.stage = "indexing the sample corpus"
        if parts.corpus.documents.last_seq() == 0:
            log.info("embedding the sample corpus")
            await sample.add_documents(parts.writing, DEFAULT_COLLECTION)
        try:
            await sample.add_checkpoint(parts.settings.checkpoints_dir)
        # In a container the folder may be one that nobody writes.
        except OSError as error:
            log.warning(
                "the sample has no second checkpoint (%s): set INSTAR_CHECKPOINTS_DIR to a folder to write", error
            )

    async def _keep_house(self) -> None:
        """Seal large fresh parts, delete dead versions, and release generations whose time is over."""
        clock = asyncio.get_running_loop().time
        purged = clock()
        while True:
            await asyncio.sleep(_SEAL_EVERY)
            try:
                await self._seal_and_release()
                if clock() - purged >= _PURGE_EVERY:
                    await self._parts.serving.housekeeping.purge()
                    purged = clock()
            # A disk that fails for a moment must not end what else is done here for good.
            except InstarError as error:
                log.warning("upkeep is tried again in %d seconds: %s", _SEAL_EVERY, error.message)

    async def _keep_balance(self) -> None:
        """Find the weights of hybrid searches for collections that are new or have grown.

        While some wait, half of the time goes to them.
        """
        clock = asyncio.get_running_loop().time
        pause = _BALANCE_EVERY
        while True:
            await asyncio.sleep(pause)
            began = clock()
            try:
                is_due = await self._parts.reloads.balance()
                pause = clock() - began if is_due else _BALANCE_EVERY
            except InstarError as error:
                pause = _BALANCE_AGAIN
                log.warning("a collection is balanced in %d seconds: %s", pause, error.message)

    async def _keep_resuming(self) -> None:
        """Go on with the reload of a replica that has died, and name no query that another one has removed."""
        while True:
            await asyncio.sleep(_RESUME_EVERY)
            try:
                await self._parts.reloads.resume()
                await self._parts.reloads.follow_judgements()
            except InstarError as error:
                log.warning("reloads of other replicas are looked for again: %s", error.message)

    async def _keep_history(self) -> None:
        """End an interval of the history again and again."""
        while True:
            await asyncio.sleep(history.EVERY)
            try:
                self.history.close(await asyncio.to_thread(self._gauges))
            except OSError as error:
                log.warning("an interval is missing in the history of the last hour: %s", error)

    def _gauges(self) -> Gauges:
        lanes = self._parts.models.scheduler.lanes
        return Gauges(
            waiting={lane: state.waiting_tokens for lane, state in lanes.items()},
            tokens={lane: state.tokens for lane, state in lanes.items()},
            memory=resources.own_memory(),
            disk_free=shutil.disk_usage(self._parts.settings.data_dir).free,
        )

    async def _seal_and_release(self) -> None:
        parts, serving = self._parts, self._parts.serving
        await serving.builder.seal(parts.keywords)
        for number in await asyncio.to_thread(parts.changes.outlived):
            await serving.generations.release(number)
