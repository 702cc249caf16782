"""A failing plan cut down to a short one that still fails.

Delta debugging (Zeller and Hildebrandt 2002): leave out lives, then halves of each actor's actions, then smaller parts,
as long as the rest still fails. Threads do not run alike twice, so each candidate is tried several times.
"""

from collections.abc import Callable, Iterator

from tests.torture.plan import Action, Plan

_TRIES = 3


def shrink(plan: Plan, fails: Callable[[Plan], bool], budget: int) -> Plan:
    """The shortest plan found with at most `budget` runs; `fails` runs a plan once."""
    runs = 0

    def still(candidate: Plan) -> bool:
        nonlocal runs
        for _ in range(_TRIES):
            if runs >= budget:
                return False
            runs += 1
            if fails(candidate):
                return True
        return False

    smaller = True
    while smaller and runs < budget:
        smaller = False
        for candidate in _candidates(plan):
            if still(candidate):
                plan, smaller = candidate, True
                break
    return plan


def _candidates(plan: Plan) -> Iterator[Plan]:
    """Plans that lack something, the boldest first."""
    if len(plan.lives) > 1:
        for life in range(len(plan.lives)):
            yield plan.without(life)
    for life, own in enumerate(plan.lives):
        for actor, actions in own.actions.items():
            if actions:
                yield plan.with_actions(life, actor, [])
            for part in _parts(actions):
                yield plan.with_actions(life, actor, part)


def _parts(actions: list[Action]) -> Iterator[list[Action]]:
    size = len(actions) // 2
    while size:
        for start in range(0, len(actions), size):
            yield actions[:start] + actions[start + size :]
        size //= 2
