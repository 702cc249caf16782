"""Workers on the machines of a Ray cluster, by Ray Data (https://docs.ray.io/en/latest/data/data.html).

Ray starts an actor that was lost again, elsewhere if need be, and hands it the portion that it had. No other file knows
Ray.
"""

from __future__ import annotations

import logging
import os
import queue
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import ray
from ray.data import ActorPoolStrategy, DataContext, Dataset

from service.cluster.portion import Portion
from service.errors import InstarError
from service.models.windowing import Windowing
from service.process import environment
from service.process.embedding import Done, WorkersFailed
from service.settings import Settings

if TYPE_CHECKING:
    from service.wiring.embedding import Embedder

# An actor computes on all processors of its machine, whatever Ray reckons. So little is reckoned that another machine
# has room for the actor of one that is lost, whose portions would wait for it for ever otherwise (https://github.com/ray-project/ray/issues/44967).
_PROCESSORS = 0.5
# How often a model is loaded again where its process was lost, before no other one is tried.
_AGAIN = 3
# Seconds between two looks at what is done.
_LOOK = 5.0
# Seconds without a portion after which no machine is expected to go on: longer than a model takes to be tried and
# loaded, and than a portion of long documents takes.
_PATIENCE = 3600.0

# Portions that are done, and at last None or an error.
Inbox = queue.SimpleQueue[Done | BaseException | None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """The checkpoint by which the workers embed, or why it cannot be done."""

    identity: str = ""
    fingerprint: str = ""
    problem: str = ""


class RayWorkers:
    """Actors that embed documents of the settings' store with the settings' model."""

    def __init__(self, settings: Settings, address: str | None, actors: int | None) -> None:
        """Connect to the cluster at `address`, or start one on this machine; raises WorkersFailed.

        There are so many actors, by default one for each GPU, or else one for each machine.
        """
        self._settings = settings
        self._actors = actors
        self._identity = ""
        local = {"include_dashboard": False} if address is None else {}
        try:
            if address is not None:
                _require_reachable(address)
            ray.init(address=address or "local", logging_level=logging.ERROR, **local)
        except (OSError, RuntimeError, ValueError) as error:
            raise WorkersFailed(f"Ray cannot be used ({error}): check --address, and that the cluster runs") from error
        context = DataContext.get_current()
        context.enable_progress_bars = False
        # A machine that is lost while it loads the model is replaced as well.
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        context.max_consecutive_actor_init_deaths = _AGAIN

    def prepare(self) -> Prepared:
        """Load the model on one machine, and forget vectors of other windows there are; raises WorkersFailed."""
        # The process of one call ends after it, and gives back the memory of the model.
        task = ray.remote(max_calls=1, max_retries=_AGAIN, **_needs())(_prepare)
        try:
            prepared: Prepared = ray.get(task.remote(self._settings), timeout=_PATIENCE)
        except ray.exceptions.RayError as error:
            raise WorkersFailed(_reason(error)) from error
        if prepared.problem:
            raise WorkersFailed(prepared.problem)
        self._identity = prepared.identity
        return prepared

    def embed(self, portions: Sequence[Portion]) -> Iterator[Done]:
        """Yield as portions are done; raises WorkersFailed."""
        inbox: Inbox = queue.SimpleQueue()
        # A thread of its own, because Ray waits without an end where no machine has room.
        threading.Thread(target=_follow, args=(self._embedding(portions), inbox), daemon=True).start()
        heard = time.monotonic()
        while time.monotonic() < heard + _PATIENCE:
            try:
                latest = inbox.get(timeout=_LOOK)
            except queue.Empty:
                yield Done()
                continue
            if latest is None:
                return
            if isinstance(latest, ray.exceptions.RayError):
                raise WorkersFailed(_reason(latest)) from latest
            if isinstance(latest, BaseException):
                raise latest
            heard = time.monotonic()
            yield latest
        raise WorkersFailed(f"no machine has done anything for {_PATIENCE / 60:.0f} minutes: `ray status` says why")

    def close(self) -> None:
        """Let go of the cluster; one that was started here ends."""
        ray.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _embedding(self, portions: Sequence[Portion]) -> Dataset:
        """The results of the portions, which are computed when they are read."""
        rows = [
            {"seqs": portion.seqs.tolist(), "overlap": portion.windowing.overlap, "most": portion.windowing.most}
            for portion in portions
        ]
        # A block is what Ray hands out, and tries again.
        return ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            Actor,
            batch_size=1,
            fn_constructor_args=(self._settings, self._identity),
            compute=ActorPoolStrategy(size=min(self._actors or _places(), len(rows)), max_tasks_in_flight_per_actor=2),
            **_needs(),
        )


class Actor:
    """Embeds portions on one machine, for as long as Ray wants."""

    def __init__(self, settings: Settings, identity: str) -> None:
        self._embedder = _embedder(settings, identity)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Embed a portion, the one row of the batch."""
        portion = Portion(
            np.asarray(batch["seqs"][0], np.int64), Windowing(int(batch["overlap"][0]), int(batch["most"][0]))
        )
        try:
            self._embedder.embed(portion)
        except InstarError as error:
            return {"documents": [0], "problem": [f"{socket.gethostname()}: {error.message}"]}
        return {"documents": [len(portion.seqs)], "problem": [""]}


def _prepare(settings: Settings) -> Prepared:
    try:
        with _embedder(settings, None) as embedder:
            embedder.drop_other_windows()
            return Prepared(embedder.checkpoint.id, embedder.checkpoint.fingerprint)
    except InstarError as error:
        return Prepared(problem=error.message)


def _embedder(settings: Settings, identity: str | None) -> Embedder:
    environment.prepare(os.environ)
    # Imported here, because they import what reads the environment.
    from service.models.torch_model import hide_progress  # noqa: PLC0415
    from service.wiring.embedding import Embedder  # noqa: PLC0415

    hide_progress()
    return Embedder(settings, settings.model, identity)


def _follow(results: Dataset, inbox: Inbox) -> None:
    """Put into `inbox` what is done, and at last None or the error that ended it."""
    try:
        for row in results.iter_rows():
            inbox.put(Done(int(row["documents"]), str(row["problem"])))
        inbox.put(None)
    # The thread that listens raises it.
    except BaseException as error:
        inbox.put(error)


def _reason(error: ray.exceptions.RayError) -> str:
    """The last line of the error, which is that of the process that failed."""
    return str(error).strip().splitlines()[-1]


def _require_reachable(address: str) -> None:
    """Raise ValueError or OSError unless somebody listens there: Ray goes on trying for minutes."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), _LOOK).close()


def _needs() -> dict[str, Any]:
    """The share of a machine that Ray reckons an actor to take."""
    return {"num_gpus": 1} if ray.cluster_resources().get("GPU") else {"num_cpus": _PROCESSORS}


def _places() -> int:
    """How many actors the cluster has room for: one for each GPU, or else one for each machine."""
    machines = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    return int(ray.cluster_resources().get("GPU", 0)) or len(machines) or 1
