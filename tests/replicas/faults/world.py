"""Three replicas behind a balancer, what happens to them, and the history of it."""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from service.checkpoints import checkpoint
from tests.replicas.faults import victim
from tests.replicas.faults.cells import Cell
from tests.replicas.faults.checker import LAG, check
from tests.replicas.faults.clients import using
from tests.replicas.faults.faults import FAULTS
from tests.replicas.faults.replica import Replica
from tests.replicas.faults.stepping import first_met
from tests.support import checkpoints
from tests.support.balancer import balancing
from tests.support.nursery import Hangs, Nursery
from tests.support.oracle import Oracle
from tests.support.postgres import Postgres
from tests.torture import actors
from tests.torture.actors import WORDS, Caller, Gone
from tests.torture.history import Event, History, Outcome
from tests.torture.world import library

COUNT = 3
MODELS = ("one", "two", "three")
# Seconds in which some replica must come to a step, and in which all must be ready again.
_STEP_SECONDS, _READY_SECONDS = 60.0, 60.0
# Seconds of use before and after a reload.
_BESIDE = 0.5


@dataclass
class World:
    """The replicas, the address before them, and all that was ever asked."""

    folder: Path
    replicas: list[Replica]
    url: str
    oracle: Oracle
    history: History = field(default_factory=History)
    cells: int = 0
    _known: set[str] = field(default_factory=set)

    def run(self, cell: Cell) -> list[str]:
        """Reload another model, with the fault of the cell; returns every new violation. Raises Hangs.

        The history of a violation is kept in the folder of the world.
        """
        self.cells += 1
        model = self._next_model()
        for replica in self.replicas:
            replica.stepping.await_step(cell.step)
        with using(self.url, self.history, f"c{self.cells}"), ThreadPoolExecutor(1) as operator:
            time.sleep(_BESIDE)
            reload = operator.submit(self._reload, model)
            self._strike(cell)
            outcome = reload.result()
            time.sleep(_BESIDE)
        time.sleep(LAG)
        self.look()
        unfinished = [] if outcome in ("acknowledged", None) or cell.may_refuse else [f"the reload was {outcome}"]
        violations = unfinished + [words for words in check(self.history, self.oracle) if words not in self._known]
        self._known |= set(violations)
        if violations:
            self.history.write(self.folder / f"history-{self.cells}.jsonl")
        return violations

    def _next_model(self) -> str:
        """The model after the active one."""
        info = httpx.get(f"{self.replicas[0].url}/info", timeout=_READY_SECONDS).json()
        return MODELS[(MODELS.index(info["model"].partition("@")[0]) + 1) % len(MODELS)]

    def _reload(self, model: str) -> Outcome | None:
        """Reload the model, and return when no reload is under way. Raises Hangs.

        Returns what became of it, None if its order was not answered.
        """
        with closing(Caller("operator", self.url, self.history)) as operator:
            try:
                event = actors.begin(operator, "reload", model)
                if event.outcome == "acknowledged":
                    actors.follow(operator, event)
                    return event.outcome
            except Gone:
                # The history has it.
                pass
            deadline = time.monotonic() + _READY_SECONDS
            while _goes_on(operator):
                if time.monotonic() > deadline:
                    raise Hangs("a reload goes on for ever")
                time.sleep(0.1)
        return None

    def look(self) -> None:
        """Ask every replica for all that there is. Nobody writes meanwhile."""
        for replica in self.replicas:
            with closing(Caller("looker", replica.url, self.history, replica.name)) as looker:
                _list(looker)
                for word in WORDS[::10]:
                    actors.search(looker, word, 1000)
                actors.embed(looker, WORDS[0], "")

    def _strike(self, cell: Cell) -> None:
        """Wait until a replica comes to the step, then do to it, or to another one, what the cell says."""
        met = first_met({replica.name: replica.stepping for replica in self.replicas}, _STEP_SECONDS)
        there = next(replica for replica in self.replicas if replica.name == met)
        others = [replica for replica in self.replicas if replica is not there]
        struck = there if cell.victim == "itself" else random.Random(str(cell)).choice(others)
        began = time.monotonic()
        with FAULTS[cell.fault](struck):
            there.stepping.go_on()
            time.sleep(cell.seconds)
        ended = time.monotonic()
        self._wait_for_all()
        said = {"kind": cell.fault, "mended": time.monotonic() - ended}
        self.history.add(
            Event("fault", "nemesis", began, ended, "acknowledged", 0, {"cell": str(cell)}, said, replica=struck.name)
        )

    def _wait_for_all(self) -> None:
        """Return when every replica is ready. Raises Hangs."""
        deadline = time.monotonic() + _READY_SECONDS
        for replica in self.replicas:
            while not _is_ready(replica):
                if time.monotonic() > deadline:
                    raise Hangs(f"{replica.name} is not ready again; its folder is {replica.folder}")
                time.sleep(0.05)


def _list(looker: Caller) -> None:
    """Ask for all documents until they are answered: a connection to the database that was lost unseen costs a 503.

    Raises Gone.
    """
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            actors.listing(looker, "list")
        except Gone:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _goes_on(caller: Caller) -> bool:
    """Whether a reload is under way, as far as can be told: a replica that is killed while it is asked says nothing."""
    try:
        seen = caller.send("job", {}, "GET", "/admin/jobs", params={"limit": 100})
    except Gone:
        return True
    jobs = seen.answered.get("jobs", [{"state": "running"}])
    return any(job["state"] in ("queued", "running") for job in jobs)


def _is_ready(replica: Replica) -> bool:
    try:
        return httpx.get(f"{replica.url}/ready", timeout=5).is_success
    except httpx.TransportError:
        return False


@contextmanager
def world(folder: Path, database: Postgres, schema: str) -> Iterator[World]:
    """Three replicas with small random checkpoints on one schema."""
    made = {
        name: checkpoints.tiny(folder / "checkpoints" / name, seed=seed, dimensions=32 * seed)
        for seed, name in enumerate(MODELS, 1)
    }
    oracle = Oracle({checkpoint.read(path, name).id: path for name, path in made.items()})
    with ExitStack() as opened:
        preloaded = {"LD_PRELOAD": str(library(folder)), "OMP_NUM_THREADS": "1"}
        nursery = opened.enter_context(Nursery(victim.__name__, preloaded))
        replicas = []
        for number in range(1, COUNT + 1):
            name = f"replica-{number}"
            replica = Replica(name, folder / name, nursery, database, folder / "checkpoints")
            replica.server.settings["REPLICAS__DB_SCHEMA"] = schema
            replica.server.start()
            opened.callback(replica.close)
            replicas.append(replica)
        url = opened.enter_context(balancing(folder, {replica.name: replica.port for replica in replicas}))
        yield World(folder, replicas, url, oracle)
