"""`make torture`: kill, fill, corrupt and starve a running service, and check everything that it ever answered."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.torture import plan
from tests.torture.campaign import Campaign, world


def main() -> int:
    """Run the campaign and print what was done; exits with 1 if an episode failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first episode; the others count on from there")
    parser.add_argument("--episodes", type=int, default=100, help="with random faults")
    parser.add_argument("--lives", type=int, default=8, help="processes in an episode, each killed")
    parser.add_argument("--at-each-step", type=int, default=20, help="kills at every named step")
    parser.add_argument("--no-shrink", action="store_true", help="keep failing episodes as they are")
    parser.add_argument("--folder", type=Path, help="where failing episodes are kept; none: a new temporary one")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="instar-torture-"))
    folder.mkdir(parents=True, exist_ok=True)
    with world(folder) as found:
        campaign = Campaign(found, folder)
        plans = [
            plan.draw(given.seed + number, plan.random_faults(given.seed + number, given.lives))
            for number in range(given.episodes)
        ]
        for number, step in enumerate(plan.STEPS if given.at_each_step else ()):
            plans.append(plan.draw(given.seed + given.episodes + number, plan.step_faults(step, given.at_each_step)))
        try:
            for number, own in enumerate(plans, 1):
                told = campaign.episode(own, shrinking=not given.no_shrink)
                if told:
                    print(told, flush=True)
                deaths = sum(campaign.tally.deaths.values())
                print(f"\r{number} of {len(plans)} episodes, {deaths} deaths", end="", file=sys.stderr, flush=True)
        finally:
            # Also of a campaign that is stopped with Ctrl-C.
            print(f"\n{campaign.tally.table()}", flush=True)
    return 1 if campaign.tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
