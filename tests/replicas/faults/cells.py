"""The cells of the matrix: which fault one of three replicas meets, and at which step of a reload."""

import random
from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

from service.observability.steps import Step

# It is stopped (SIGSTOP), gets a tenth of its time, is killed; its way to the database keeps everything for a while,
# loses it for good, delays it, ends connections, keeps a commit, or the answer to one; its clock is days off.
FaultKind = Literal["stop", "slow", "kill", "silent", "lose", "delay", "refuse", "no-commit", "no-answer", "clock"]
FAULTS: tuple[FaultKind, ...] = get_args(FaultKind)
# The replica that comes to the step, or another one.
Victim = Literal["itself", "another"]
VICTIMS: tuple[Victim, ...] = get_args(Victim)
# What the replica that leads comes to in each reload of a model that it has had before, in order.
LEADING: tuple[Step, ...] = (
    "reload.queued",
    "reload.installed",
    "reload.loaded",
    "reload.probed",
    "reload.embedded",
    "reload.following",
    "reload.built",
    "reload.published",
    "reload.balanced",
    "reload.judged",
    "reload.preparing",
    "reload.caught-up",
    "reload.recorded",
    "reload.switched",
    "reload.cleaned",
)
# What the others come to: they are prepared, and answer with what is committed.
FOLLOWING: tuple[Step, ...] = ("replica.compared", "replica.adopted")


@dataclass(frozen=True)
class Cell:
    """A fault of `seconds`, from the moment at which a replica comes to the step."""

    fault: FaultKind
    step: Step
    victim: Victim
    seconds: float

    @property
    def may_refuse(self) -> bool:
        """Whether the reload may be refused: its leader could not reach the database, and still led after that."""
        cut = self.fault in ("silent", "lose", "refuse", "no-commit", "no-answer")
        return cut and self.victim == "itself" and self.step in LEADING

    def __str__(self) -> str:
        return f"{self.fault} of {self.victim} at {self.step} for {self.seconds:g} s"


def matrix(seconds: float) -> list[Cell]:
    """Every fault at every step."""
    return [Cell(fault, step, victim, seconds) for step, fault, victim in product(LEADING + FOLLOWING, FAULTS, VICTIMS)]


def chosen(seed: int, seconds: float) -> list[Cell]:
    """One cell for each fault, of which each has another step."""
    pick = random.Random(seed)
    steps = pick.sample(LEADING + FOLLOWING, len(FAULTS))
    return [Cell(fault, step, pick.choice(VICTIMS), seconds) for fault, step in zip(FAULTS, steps, strict=True)]
