"""Episodes one after the other, each checked; a failing one is kept, shrunk and told with its seed."""

import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from service.checkpoints import checkpoint
from tests.support import checkpoints
from tests.support.nursery import Hangs
from tests.support.oracle import Oracle
from tests.torture.checker import check
from tests.torture.history import History
from tests.torture.plan import CHECKPOINTS, RERANKERS, Plan
from tests.torture.shrink import shrink
from tests.torture.world import Episode, TortureNursery, World

_SHRINK_RUNS = 60


@dataclass
class Tally:
    """What a campaign did: deaths by what caused them, requests by kind and status, and the episodes that failed."""

    deaths: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    failed: list[Path] = field(default_factory=list)
    slowest_recovery: float = 0.0

    def count(self, history: History) -> None:
        for event in history.events:
            if event.kind == "ready":
                self.slowest_recovery = max(self.slowest_recovery, event.end - event.start)
            elif event.kind == "ended" and event.answered["status"] == -signal.SIGKILL:
                self.deaths[event.answered["step"] or "a random moment"] += 1
            elif event.kind == "ended":
                self.deaths[f"exit status {event.answered['status']}"] += 1
            elif event.kind == "fault":
                self.faults[event.answered["kind"]] += 1
            elif event.kind == "spoiled":
                self.faults[f"spoilt feedback: {event.answered['harm']}"] += 1
            elif event.actor != "nemesis":
                self.requests[f"{event.kind} {event.status or 'broken off'}"] += 1

    def table(self) -> str:
        """What was done, as Markdown."""
        lines = [
            f"{sum(self.deaths.values())} deaths, {sum(self.requests.values())} requests, {len(self.failed)} failed"
            f" episodes; the slowest start took {self.slowest_recovery:.1f} s",
            "",
            "| death at | times |",
            "|---|---|",
        ]
        lines += [f"| {cause} | {times} |" for cause, times in sorted(self.deaths.items())]
        lines += ["", "| fault | times |", "|---|---|"]
        lines += [f"| {kind} | {times} |" for kind, times in sorted(self.faults.items())]
        lines += ["", "| request and status | times |", "|---|---|"]
        lines += [f"| {kind} | {times} |" for kind, times in sorted(self.requests.items())]
        return "\n".join(lines)


class Campaign:
    """Runs plans in folders below `folder`, which holds what is left of those that failed."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self._folder = folder
        self._runs = 0
        self.tally = Tally()
        self.oracle = Oracle(
            {world.models[name]: path for name, path in world.checkpoints.items()}
            | {world.models["sent"]: world.upload.with_suffix("")},
            {world.models[name]: path for name, path in world.rerankers.items()},
        )

    def try_out(self, plan: Plan) -> list[str]:
        """Run a plan and return its violations."""
        self._runs += 1
        folder = self._folder / f"run-{self._runs}"
        episode = Episode(self.world, plan, folder)
        try:
            found = check(episode.run(), self.oracle)
        except Hangs as hang:
            found = [str(hang)]
        self.tally.count(episode.history)
        if found:
            episode.history.write(folder / "history.jsonl")
            (folder / "violations.txt").write_text("\n".join(found) + "\n")
        else:
            shutil.rmtree(folder)
        return found

    def episode(self, plan: Plan, *, shrinking: bool) -> str:
        """Run a plan; returns what is to be said of it, nothing if it held."""
        began = time.monotonic()
        found = self.try_out(plan)
        if not found:
            return ""
        place = self._folder / f"run-{self._runs}"
        self.tally.failed.append(place)
        lines = [f"seed {plan.seed} fails after {time.monotonic() - began:.1f} s, kept in {place}:", *found[:5]]
        if shrinking:
            small = shrink(plan, lambda candidate: bool(self.try_out(candidate)), _SHRINK_RUNS)
            lines.append(f"shrunk to {len(small.lives)} lives:")
            lines += [f"  {asdict(life)}" for life in small.lives]
        return "\n".join(lines)


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Tiny checkpoints of different weights and dimensions, and a nursery."""
    made = {}
    for seed, (name, dimensions) in enumerate(zip((*CHECKPOINTS, "sent"), (32, 64, 32, 16), strict=True), 1):
        made[name] = checkpoints.tiny(folder / "made" / name, seed=seed, dimensions=dimensions)
    rerankers = {
        name: checkpoints.tiny_reranker(folder / "made" / name, seed=seed) for seed, name in enumerate(RERANKERS)
    }
    models = {name: checkpoint.read(path, name).id for name, path in (made | rerankers).items()}
    upload = checkpoints.zipped(made.pop("sent"), folder / "made" / "sent.zip")
    with TortureNursery(folder) as nursery:
        yield World(nursery, made, rerankers, models, upload)
