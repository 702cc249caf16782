"""`make faults`: every fault at every step of a switch, and a check of everything that the replicas ever answered."""

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.replicas.faults import cells
from tests.replicas.faults.cells import Cell
from tests.replicas.faults.world import world
from tests.support import postgres
from tests.support.nursery import Hangs
from tests.support.postgres import Postgres

# The history of a world is checked as a whole after each cell.
_CELLS_OF_A_WORLD = 8


def main() -> int:
    """Run the cells and print what was wrong; exits with 1 if anything was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the order of the cells")
    parser.add_argument("--seconds", type=float, default=3, help="how long a fault lasts")
    parser.add_argument("--faults", nargs="+", choices=cells.FAULTS, default=cells.FAULTS)
    parser.add_argument("--steps", nargs="+", choices=cells.LEADING + cells.FOLLOWING, default=())
    parser.add_argument("--victims", nargs="+", choices=cells.VICTIMS, default=cells.VICTIMS)
    parser.add_argument("--after", type=int, default=0, help="cells of that order that are left out, as tried before")
    parser.add_argument("--cells", type=int, help="how many; none: all")
    parser.add_argument("--folder", type=Path, help="where the histories that failed are kept; none: a new one")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="instar-faults-"))
    wanted = [
        cell
        for cell in cells.matrix(options.seconds)
        if cell.fault in options.faults
        and cell.victim in options.victims
        and (not options.steps or cell.step in options.steps)
    ]
    random.Random(options.seed).shuffle(wanted)
    failed = 0
    requests = Counter[str]()
    with postgres.running() as database:
        for number, (cell, violations, asked) in enumerate(
            _tried(wanted[options.after :][: options.cells], folder, database), 1
        ):
            requests += asked
            failed += bool(violations)
            print(f"{number}: {cell}: {'; '.join(violations[:5]) or 'held'}", flush=True)
    print(f"{failed} cells failed; {dict(sorted(requests.items()))}; histories of those that failed: {folder}")
    return 1 if failed else 0


def _tried(wanted: Sequence[Cell], folder: Path, database: Postgres) -> Iterator[tuple[Cell, list[str], Counter[str]]]:
    """Each cell with its violations, and the requests of its world so far that are new; a world ends with a failure."""
    left = list(wanted)
    worlds = 0
    while left:
        worlds += 1
        with world(folder / f"world-{worlds}", database, f"world_{worlds}") as replicas:
            counted = 0
            for cell in left[:_CELLS_OF_A_WORLD]:
                try:
                    violations = replicas.run(cell)
                except Hangs as hang:
                    violations = [str(hang)]
                left.remove(cell)
                new = replicas.history.events[counted:]
                counted += len(new)
                yield cell, violations, Counter(f"{event.kind} {event.status}" for event in new)
                if violations:
                    break


if __name__ == "__main__":
    sys.exit(main())
