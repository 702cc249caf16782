"""What an episode does: drawn from a seed, and small enough to be cut into parts when it has failed."""

import random
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from service.observability.steps import Step

FaultKind = Literal[
    "none", "kill", "kill-at", "terminate", "pause", "disk-full", "failing-writes", "failing-syncs", "short-writes",
    "failing-reads", "clock", "memory", "flip", "unlink", "truncate-wal", "feedback-full", "spoil-feedback",
]  # fmt: skip
# A trial dies in a process of its own, which tests/promises/test_6_bad_native_code.py sees to. A process that is alone
# leads no others, which those of tests/replicas/faults do.
STEPS: tuple[Step, ...] = tuple(step for step in get_args(Step) if not step.startswith(("trial.", "replica.")))
CHECKPOINTS = ("one", "two", "three")
RERANKERS = ("lark", "wren")
WRITERS = 3
USERS = 2
USERS_DO = ("ask", "feedback", "again", "crowd", "say", "forget")
_EVENTS = ("good", "bad", "click", "click", "cite", "copy", "dwell", "shop")
_IDS = 12


@dataclass(frozen=True)
class Fault:
    """What happens to the process or its files.

    `after` seconds from the time it is ready, for kill-at the step and how often it is passed before. Flip, unlink,
    truncate-wal and spoil-feedback happen when the process is dead, after a kill; the process after the last of these
    lives with it. The disk of feedback-full is full for the database of feedback alone.
    """

    kind: FaultKind
    after: float = 0.3
    step: Step | None = None
    passed: int = 0


@dataclass(frozen=True)
class Action:
    """One request of an actor, and how long it waits before."""

    kind: str
    wait: float = 0.0
    asked: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Life:
    """One process, from launch to end: what befalls it, and what each actor does meanwhile."""

    fault: Fault
    actions: dict[str, list[Action]]


@dataclass(frozen=True)
class Plan:
    """Lives on one data folder, one after the other."""

    seed: int
    lives: list[Life]

    def without(self, life: int) -> "Plan":
        return replace(self, lives=[*self.lives[:life], *self.lives[life + 1 :]])

    def with_actions(self, life: int, actor: str, actions: list[Action]) -> "Plan":
        """The plan with other actions of one actor in one life."""
        changed = replace(self.lives[life], actions={**self.lives[life].actions, actor: actions})
        return replace(self, lives=[*self.lives[:life], changed, *self.lives[life + 1 :]])


def draw(seed: int, faults: list[Fault]) -> Plan:
    """A plan with one life for each fault. The first begins with a reranker, without which searches are refused."""
    pick = random.Random(seed)
    lives = [Life(fault, _actions(pick, fault)) for fault in faults]
    for life in lives[:1]:
        life.actions["operator"].insert(0, Action("reload-reranker", 0, {"model": pick.choice(RERANKERS)}))
    return Plan(seed, lives)


def random_faults(seed: int, lives: int) -> list[Fault]:
    """Mostly kills at random moments, and now and then anything else."""
    pick = random.Random(f"faults {seed}")
    others: list[FaultKind] = [
        "terminate", "pause", "disk-full", "failing-writes", "failing-syncs", "short-writes", "failing-reads", "clock",
        "memory", "flip", "unlink", "feedback-full", "spoil-feedback",
    ]  # fmt: skip
    faults = []
    for _ in range(lives):
        if pick.random() < 0.2:
            faults.append(Fault(pick.choice(others), after=pick.uniform(0, 0.5)))
        elif pick.random() < 0.3:
            faults.append(Fault("kill-at", step=pick.choice(STEPS), passed=pick.choice((0, 0, 0, 1, 3))))
        else:
            faults.append(Fault("kill", after=pick.uniform(0, 1.2)))
    if pick.random() < 0.1:
        faults.append(Fault("truncate-wal", after=pick.uniform(0.2, 1)))
    return faults


def step_faults(step: Step, lives: int) -> list[Fault]:
    """Kills at one step, now the first time and now a later one."""
    return [Fault("kill-at", step=step, passed=number % 3) for number in range(lives)]


def _actions(pick: random.Random, fault: Fault) -> dict[str, list[Action]]:
    actions = {f"writer-{number}": _writes(pick, number) for number in range(WRITERS)}
    for number in range(2):
        actions[f"searcher-{number}"] = [_search(pick) for _ in range(40)]
    actions["embedder"] = [
        Action("embed", pick.uniform(0, 0.04), {"word": pick.randrange(40), "model": pick.choice((*CHECKPOINTS, ""))})
        for _ in range(20)
    ]
    actions["judge"] = [
        Action("rerank", pick.uniform(0, 0.08), {"word": pick.randrange(40), "seed": pick.randrange(1000)})
        for _ in range(10)
    ]
    actions["operator"] = _operations(pick, fault)
    for number in range(USERS):
        actions[f"user-{number}"] = [_use(pick) for _ in range(24)]
    return actions


def _use(pick: random.Random) -> Action:
    chosen, wait, name = pick.random(), pick.uniform(0, 0.04), pick.randrange(2)
    # Few queries, so that some are shown often enough to be judged by clicks.
    word = 8 * pick.randrange(3)
    if chosen < 0.4:
        return Action("ask", wait, {"word": word, "k": pick.choice((1, 5, 20)), "name": name})
    if chosen < 0.72:
        count = pick.choice((1, 1, 2, 20))
        asked = {
            "about": pick.choice(("own", "own", "any", "query")),
            "does": pick.choices(_EVENTS, k=count),
            "places": [pick.randrange(5) for _ in range(count)],
            "named": pick.random() < 0.5,
            "name": name,
            "word": word,
        }
        return Action("feedback", wait, asked)
    if chosen < 0.8:
        return Action("again", wait)
    if chosen < 0.88:
        return Action("crowd", wait, {"number": pick.randrange(10), "count": pick.choice((1, 3))})
    if chosen < 0.96:
        documents = [f"w{pick.randrange(WRITERS)}-{n}" for n in pick.sample(range(_IDS), 2)]
        return Action("say", wait, {"word": word, "documents": documents, "good": pick.random() < 0.5})
    return Action("forget", wait, {"name": name})


def _search(pick: random.Random) -> Action:
    wait, word = pick.uniform(0, 0.02), pick.randrange(40)
    if pick.random() < 0.7:
        return Action("search", wait, {"word": word, "k": pick.choice((1, 5, 50))})
    return Action("reranked", wait, {"word": word, "k": pick.choice((1, 5, 20))})


def _writes(pick: random.Random, writer: int) -> list[Action]:
    actions = []
    for _ in range(14):
        chosen = pick.random()
        ids = [f"w{writer}-{n}" for n in pick.sample(range(_IDS), pick.choice((1, 1, 2, 5)))]
        wait = pick.uniform(0, 0.04)
        if chosen < 0.6:
            actions.append(Action("put", wait, {"ids": ids}))
        elif chosen < 0.85:
            actions.append(Action("delete", wait, {"ids": ids}))
        else:
            actions.append(Action("bulk", wait, {"ids": [f"w{writer}-bulk-{n}" for n in range(pick.choice((5, 300)))]}))
    return actions


def _operations(pick: random.Random, fault: Fault) -> list[Action]:
    actions = []
    for _ in range(3):
        chosen = pick.random()
        wait = pick.uniform(0, 0.1)
        if pick.random() < 0.35:
            actions.append(_reranker(pick, wait))
        elif chosen < 0.6:
            actions.append(Action("reload", wait, {"model": pick.choice((*CHECKPOINTS, "sent"))}))
        elif chosen < 0.75:
            actions.append(Action("cancel", wait, {"model": pick.choice(CHECKPOINTS), "after": pick.uniform(0, 0.2)}))
        elif chosen < 0.9:
            actions.append(Action("rollback", wait))
        else:
            actions.append(Action("upload", wait))
    if fault.step is not None and fault.step.startswith("upload"):
        actions.insert(0, Action("upload"))
    if fault.step is not None and fault.step.startswith("reload"):
        # To go where one is already builds nothing, so two ways are tried.
        ways = [Action("reload", 0, {"model": name}) for name in pick.sample(CHECKPOINTS, 2)]
        ways += [Action("reload-reranker", 0, {"model": name}) for name in RERANKERS]
        pick.shuffle(ways)
        actions = ways + actions
    return actions


def _reranker(pick: random.Random, wait: float) -> Action:
    chosen, name = pick.random(), pick.choice(RERANKERS)
    if chosen < 0.6:
        return Action("reload-reranker", wait, {"model": name})
    if chosen < 0.75:
        return Action("cancel-reranker", wait, {"model": name, "after": pick.uniform(0, 0.2)})
    return Action("rollback-reranker", wait)
