"""One episode: a service on a data folder through all the lives of a plan, and the history of it."""

import mmap
import os
import random
import re
import resource
import signal
import struct
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.nursery import Hangs, Nursery
from tests.torture import actors, snapshot, users, victim
from tests.torture.actors import Caller, Gone
from tests.torture.cast import Cast
from tests.torture.history import RELOADS, Event, History
from tests.torture.plan import CHECKPOINTS, RERANKERS, Fault, FaultKind, Plan
from tests.torture.victim import KILLED

# How long a start may take at most, whatever came before, on a busy machine.
RECOVERY_SECONDS = 30.0
# And how long a service needs to be itself again after its disk is.
MENDED_SECONDS = 5.0
_FAULT_SECONDS = 0.4
# And until judgements are derived from the events of the life before.
_DERIVED_SECONDS = 20.0
_CONTROL = struct.Struct("iiqqii")
_DISK: dict[FaultKind, int] = {
    "disk-full": 1,
    "failing-writes": 2,
    "failing-syncs": 3,
    "short-writes": 4,
    "failing-reads": 5,
    "feedback-full": 1,
}


class Control:
    """The file by which processes with the library of `disk.c` are told how their disk and their clock fail."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(_CONTROL.size))
        with path.open("r+b") as file:
            self._mapped = mmap.mmap(file.fileno(), _CONTROL.size)

    def set_disk(self, kind: FaultKind | None, spared: int = 0) -> None:
        """From now on the disk fails after `spared` more calls, or no longer."""
        _, _, clock, hits, _, _ = _CONTROL.unpack(self._mapped[:])
        feedback_alone = int(kind == "feedback-full")
        self._mapped[:] = _CONTROL.pack(_DISK[kind] if kind else 0, spared, clock, hits, feedback_alone, 0)

    def set_clock(self, seconds: int) -> None:
        """The clock of the day is ahead by so many seconds."""
        mode, spared, _, hits, feedback_alone, _ = _CONTROL.unpack(self._mapped[:])
        self._mapped[:] = _CONTROL.pack(mode, spared, seconds, hits, feedback_alone, 0)

    @property
    def hits(self) -> int:
        """Calls that were made to fail so far."""
        found: int = _CONTROL.unpack(self._mapped[:])[3]
        return found


def library(folder: Path) -> Path:
    """The compiled `disk.c`, in that folder."""
    path = folder / "disk.so"
    source = Path(__file__).with_name("disk.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", path, source, "-ldl"], check=True)
    return path


class TortureNursery(Nursery):
    """A nursery whose children have a disk and a clock that fail on command."""

    def __init__(self, folder: Path) -> None:
        path = folder / "control"
        self.control = Control(path)
        super().__init__(
            victim.__name__,
            {
                "LD_PRELOAD": str(library(folder)),
                "TORTURE_CONTROL": str(path),
                # A whole machine's worth of threads for two layers of 32 numbers only makes two processes slower.
                "OMP_NUM_THREADS": "1",
            },
        )


@dataclass
class World:
    """What the episodes of a campaign have in common. `models` are checkpoint ids by name, rerankers' included."""

    nursery: TortureNursery
    checkpoints: dict[str, Path]
    rerankers: dict[str, Path]
    models: dict[str, str]
    upload: Path


class Episode:
    """Runs a plan in a folder of its own."""

    def __init__(self, world: World, plan: Plan, folder: Path) -> None:
        self._world = world
        self._plan = plan
        self._data = folder / "data"
        self._log = folder / "log"
        self.history = History()
        self._pick = random.Random(f"nemesis {plan.seed}")
        self._environment = {
            "INSTAR_PORT": "0",
            "INSTAR_DATA_DIR": str(self._data),
            "INSTAR_CHECKPOINTS_DIR": str(folder / "checkpoints"),
            "INSTAR_MODEL": "one",
            # Its scores can be checked to the last digits.
            "INSTAR_ENGINE": "torch",
            "INSTAR_RETAIN": "2",
            "INSTAR_HEADROOM__MEMORY": "0",
            "INSTAR_HEADROOM__DISK": "0",
            # A reload of 600 small documents then has several portions and batches.
            "INSTAR_COMPUTE__BULK_BATCH_TOKENS": "2048",
            # Graphs of a few hundred documents, which find everything when they are asked to.
            "INSTAR_INDEX__HNSW_FROM": "100",
            "INSTAR_INDEX__MIN_RECALL": "1",
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "checkpoints").mkdir()
        for name, path in (world.checkpoints | world.rerankers).items():
            (folder / "checkpoints" / name).symlink_to(path)
        self._pid = 0
        self._url = ""
        # What follows from the events that were there when the last process ended; None: that cannot be said.
        self._derived: list[Any] | None = None
        self._spoiled = False

    def run(self) -> History:
        """Live every life, and look at what is left. Raises Hangs."""
        try:
            for number, life in enumerate(self._plan.lives):
                self._live(number, life.fault, life.actions)
            if not (self._plan.lives and self._plan.lives[-1].fault.kind == "truncate-wal"):
                self._look_back()
        finally:
            self._world.nursery.control.set_disk(None)
            self._world.nursery.control.set_clock(0)
            if self._pid:
                self._signal(signal.SIGKILL)
                self._world.nursery.wait(self._pid, 10)
        return self.history

    def _live(self, number: int, fault: Fault, actions: dict[str, list[Any]]) -> None:
        if not self._start(fault if fault.kind == "kill-at" else None):
            # It died of its fault before it was ready.
            self._start(None)
        try:
            if number:
                self._list("list")
                self._look_at_judgements()
            cast = Cast(self._url, self.history, self._world.upload, number)
            cast.begin(actions, lambda name: self._world.models.get(name, ""), self._pending())
        except Gone:
            self._ended()
            self._look_at_feedback()
            return
        self._strike(fault)
        if fault.kind in ("kill-at", "none"):
            cast.join()
        if fault.kind != "terminate" and self._world.nursery.status(self._pid) is None:
            if fault.kind not in ("kill", "flip", "unlink", "truncate-wal"):
                cast.join()
            self._signal(signal.SIGKILL)
        self._ended()
        cast.join()
        self._look_at_feedback()
        self._spoil(fault)

    def _start(self, armed: Fault | None) -> bool:
        """Launch a process and wait until it is ready; False if it was armed and died on the way."""
        began = time.monotonic()
        self._log.touch()
        offset = self._log.stat().st_size
        self._pid = self._world.nursery.fork(
            {
                "environment": self._environment,
                "log": str(self._log),
                "step": armed.step if armed else None,
                "pass": armed.passed if armed else 0,
            }
        )
        self._mark("launched", began, {"armed": armed.step if armed else None})
        while time.monotonic() - began < RECOVERY_SECONDS:
            with self._log.open("rb") as log:
                log.seek(offset)
                found = re.search(rb'ready on ([^\s"]+)', log.read())
            if found:
                self._url = found[1].decode()
                self._mark("ready", began, {})
                return True
            status = self._world.nursery.status(self._pid)
            if status is not None:
                self._ended()
                if armed is None:
                    raise Hangs(f"the service ended with {status} instead of starting; its log is {self._log}")
                return False
            time.sleep(0.01)
        raise Hangs(f"the service is not ready after {RECOVERY_SECONDS} s; its log is {self._log}")

    def _strike(self, fault: Fault) -> None:
        """Do to the living process what the fault says."""
        if fault.kind in ("kill-at", "none"):
            return
        time.sleep(fault.after)
        began = time.monotonic()
        nursery = self._world.nursery
        if fault.kind in _DISK:
            nursery.control.set_disk(fault.kind, self._pick.randrange(6))
            time.sleep(_FAULT_SECONDS)
            nursery.control.set_disk(None)
            self._mark("fault", began, {"kind": fault.kind})
            self._must_recover()
        elif fault.kind == "clock":
            nursery.control.set_clock(self._pick.choice((-1, 1)) * 86_400 * self._pick.randrange(1, 4000))
            self._mark("fault", began, {"kind": fault.kind})
        elif fault.kind == "pause":
            self._signal(signal.SIGSTOP)
            time.sleep(_FAULT_SECONDS)
            self._signal(signal.SIGCONT)
            self._mark("fault", began, {"kind": fault.kind})
        elif fault.kind == "memory":
            self._starve(began)
        elif fault.kind == "terminate":
            self._signal(signal.SIGTERM)
            status = nursery.wait(self._pid, RECOVERY_SECONDS)
            self._mark("terminated", began, {"status": status})
        else:
            self._signal(signal.SIGKILL)

    def _starve(self, began: float) -> None:
        """Let the process take no more address space for a while. It may die of that."""
        with suppress(ProcessLookupError, FileNotFoundError):
            size = int(Path(f"/proc/{self._pid}/statm").read_text().split()[0]) * resource.getpagesize()
            resource.prlimit(self._pid, resource.RLIMIT_AS, (size + (4 << 20), resource.RLIM_INFINITY))
            time.sleep(_FAULT_SECONDS)
            resource.prlimit(self._pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self._mark("fault", began, {"kind": "memory"})
        if self._world.nursery.status(self._pid) is None:
            self._must_recover()

    def _must_recover(self) -> None:
        """Write until it is acknowledged."""
        began = time.monotonic()
        caller = Caller("prober", self._url, self.history)
        number = 0
        try:
            while not self._recovered(caller, f"prober.{began}.{number}"):
                number += 1
                if time.monotonic() - began > MENDED_SECONDS:
                    if not caller.is_healthy():
                        # Whoever watches it would restart it now.
                        self._mark("unhealthy", began, {})
                        return
                    raise Hangs(f"no write succeeds {MENDED_SECONDS} s after the disk is well again")
                time.sleep(0.05)
        except Gone:
            pass
        finally:
            caller.close()

    def _recovered(self, caller: Caller, mark: str) -> bool:
        """Whether a document is written, and feedback taken."""
        if actors.put(caller, ["probe"], mark).outcome != "acknowledged":
            return False
        event = {"id": mark, "action": "bad", "query": "probe"}
        return self._spoiled or users.send(caller, [event], None).outcome == "acknowledged"

    def _spoil(self, fault: Fault) -> None:
        """Do to the files of the dead process what the fault says."""
        self._world.nursery.control.set_clock(0)
        if self._spoiled:
            # What the message of the service says.
            for path in self._data.glob("learning.*"):
                path.unlink()
            self._spoiled = False
            self._mark("mended", time.monotonic(), {})
        if fault.kind == "flip":
            derived = (("vectors", "*.db*"), ("graphs", "*/*"), ("words", "*"))
            for path in [path for folder, names in derived for path in (self._data / folder).glob(names)]:
                content = bytearray(path.read_bytes())
                for _ in range(3 if content and not path.name.endswith("-shm") else 0):
                    content[self._pick.randrange(len(content))] ^= 1 << self._pick.randrange(8)
                path.write_bytes(content)
        elif fault.kind == "unlink":
            stores = sorted((self._data / "vectors").glob("*.db"))
            if stores:
                chosen = self._pick.choice(stores)
                for path in chosen.parent.glob(f"{chosen.name}*"):
                    path.unlink()
            for path in sorted((self._data / "graphs").glob("*/*"))[::2]:
                path.unlink()
        elif fault.kind == "spoil-feedback":
            self._spoil_feedback()
        elif fault.kind == "truncate-wal":
            log = self._data / "corpus.db-wal"
            if log.exists():
                os.truncate(log, self._pick.randrange(log.stat().st_size + 1))
            self._start(None)
            self._list("list-after-loss")
            self._signal(signal.SIGKILL)
            self._ended()

    def _spoil_feedback(self) -> None:
        """Harm the database of feedback, or take it or its key away."""
        path, key = self._data / "learning.db", self._data / "learning.key"
        harm = self._pick.choice(("overwrite", "flip", "cut", "unlink", "no key", "no sound key"))
        content = bytearray(path.read_bytes() if path.exists() else b"")
        if harm == "overwrite" and content:
            place = self._pick.randrange(len(content))
            content[place : place + 4096] = self._pick.randbytes(len(content[place : place + 4096]))
        for _ in range(20 if harm == "flip" and content else 0):
            content[self._pick.randrange(len(content))] ^= 1 << self._pick.randrange(8)
        if harm == "cut" and content:
            del content[self._pick.randrange(len(content)) :]
        if harm in ("overwrite", "flip", "cut"):
            path.write_bytes(content)
        elif harm == "unlink":
            for file in self._data.glob("learning.db*"):
                file.unlink()
        elif harm == "no key":
            key.unlink(missing_ok=True)
        else:
            key.write_text("no key")
        self._spoiled = True
        self._derived = None
        self._mark("spoiled", time.monotonic(), {"harm": harm})

    def _look_at_feedback(self) -> None:
        """Note what the files of the dead process have of feedback."""
        if self._spoiled:
            return
        began = time.monotonic()
        seen = snapshot.read(self._data / "learning.db")
        self._derived = seen.pop("derived", None)
        self._mark("events", began, seen)

    def _look_at_judgements(self) -> None:
        """Note what people said, and what was derived once it is what it should be, or does not come to be that."""
        caller = Caller("looker", self._url, self.history)
        try:
            began = time.monotonic()
            said = users.said(caller)
            self.history.add(Event("said", "looker", began, time.monotonic(), "acknowledged", 200, {}, said))
            if self._derived is None:
                return
            began = time.monotonic()
            while (derived := users.derived(caller)) != self._derived and time.monotonic() - began < _DERIVED_SECONDS:
                time.sleep(0.1)
            self._mark("derived", began, {"expected": self._derived, "derived": derived})
        finally:
            caller.close()

    def _look_back(self) -> None:
        """Start once more, and ask for everything, of the active generation and reranker and of those before."""
        self._start(None)
        listed = self._list("list")
        self._look_at_judgements()
        caller = Caller("looker", self._url, self.history)
        for event in self._pending():
            actors.follow(caller, event)
        for _ in range(3):
            for words in actors.WORDS[::8]:
                actors.search(caller, words, 1000)
            for words in list(listed.answered.values())[::40]:
                actors.search(caller, words, 3)
            for words in actors.WORDS[::10]:
                actors.reranked(caller, words, 10)
            actors.rollback(caller)
            actors.rollback_reranker(caller)
        # Whatever came before, the last word is heard.
        for kind, name in (("reload", CHECKPOINTS[0]), ("reload-reranker", RERANKERS[0])):
            actors.reload(caller, kind, name)
        actors.search(caller, actors.WORDS[0], 50)
        actors.reranked(caller, actors.WORDS[0], 20)
        caller.send("health", {}, "GET", "/health")
        caller.close()
        began = time.monotonic()
        self._signal(signal.SIGTERM)
        status = self._world.nursery.wait(self._pid, RECOVERY_SECONDS)
        self._mark("terminated", began, {"status": status})
        self._ended()
        self._look_at_feedback()

    def _pending(self) -> list[Event]:
        """Reloads that were begun and not seen to end."""
        return [
            event
            for event in self.history.events
            if event.kind in RELOADS and event.outcome == "unknown" and "id" in event.answered
        ]

    def _list(self, kind: str) -> Event:
        caller = Caller("looker", self._url, self.history)
        try:
            return actors.listing(caller, kind)
        finally:
            caller.close()

    def _signal(self, number: signal.Signals) -> None:
        # It may have died a moment ago, and the nursery not have said so yet.
        with suppress(ProcessLookupError):
            os.kill(self._pid, number)

    def _ended(self) -> None:
        status = self._world.nursery.wait(self._pid, RECOVERY_SECONDS)
        self._mark("ended", time.monotonic(), {"status": status, "step": self._step()})

    def _step(self) -> str:
        """The step at which the process died by itself, if it did."""
        found = re.fullmatch(rf"{KILLED} (\S+)", self._log.read_text(errors="replace").rstrip().rpartition("\n")[2])
        return found[1] if found else ""

    def _mark(self, kind: str, start: float, answered: dict[str, Any]) -> None:
        self.history.add(Event(kind, "nemesis", start, time.monotonic(), "acknowledged", 0, {}, answered))


Runner = Callable[[Plan], History]
