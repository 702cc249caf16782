"""`make torture`: kill, fill, corrupt and starve a running service, and check everything that it ever answered."""

import argparse
import itertools
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.torture import plan
from tests.torture.campaign import Campaign, Tally, world
from tests.torture.plan import Fault, Plan

# Further episodes for a step that has not killed often enough.
_MORE = 30


def main() -> int:
    """Run the campaign and print what was done; exits with 1 if an episode failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first episode; the others count on from there")
    parser.add_argument("--episodes", type=int, default=100, help="with random faults")
    parser.add_argument("--lives", type=int, default=8, help="processes in an episode, each killed")
    parser.add_argument("--at-each-step", type=int, default=20, help="kills at every named step")
    parser.add_argument("--steps", nargs="+", choices=plan.STEPS, default=plan.STEPS, help="none: all of them")
    parser.add_argument("--no-shrink", action="store_true", help="keep failing episodes as they are")
    parser.add_argument("--folder", type=Path, help="where failing episodes are kept; none: a new temporary one")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="instar-torture-"))
    folder.mkdir(parents=True, exist_ok=True)
    with world(folder) as found:
        campaign = Campaign(found, folder)
        try:
            for number, own in enumerate(_plans(given, campaign.tally), 1):
                told = campaign.episode(own, shrinking=not given.no_shrink)
                if told:
                    print(told, flush=True)
                deaths = sum(campaign.tally.deaths.values())
                print(f"\r{number} episodes, {deaths} deaths", end="", file=sys.stderr, flush=True)
        finally:
            # Also of a campaign that is stopped with Ctrl-C.
            print(f"\n{campaign.tally.table()}", flush=True)
    return 1 if campaign.tally.failed else 0


def _plans(given: argparse.Namespace, tally: Tally) -> Iterator[Plan]:
    """Random episodes, then for each step as many as it takes until it has killed often enough."""
    seeds = itertools.count(given.seed)
    for seed in itertools.islice(seeds, given.episodes):
        yield plan.draw(seed, plan.random_faults(seed, given.lives))
    for step in given.steps if given.at_each_step else ():
        wanted = tally.deaths[step] + given.at_each_step
        yield plan.draw(next(seeds), plan.step_faults(step, given.at_each_step))
        for seed in itertools.islice(seeds, _MORE):
            lacking = wanted - tally.deaths[step]
            if lacking <= 0:
                break
            # Not every life comes to a step a second time, or at all.
            yield plan.draw(seed, [Fault("kill-at", step=step)] * lacking)


if __name__ == "__main__":
    sys.exit(main())
