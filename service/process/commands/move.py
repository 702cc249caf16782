"""The command `move`: everything that must not be lost, from a data folder to PostgreSQL or back."""

import argparse
import sys

from service.errors import InstarError
from service.settings import Settings

SETTINGS = ("data_dir",)
DESCRIPTION = (
    "Copy everything that must not be lost from a data folder to PostgreSQL, or back, and compare both. The source"
    " answers meanwhile."
)
EXAMPLE = "instar move --from data --to postgresql://instar@db/instar"
LISTENS = False


def add(parser: argparse.ArgumentParser) -> None:
    """Add the two places."""
    place = "a data folder, or a URL that begins with postgresql://"
    parser.add_argument("--from", required=True, dest="source", metavar="PLACE", help=place)
    parser.add_argument("--to", required=True, dest="target", metavar="PLACE", help=f"{place}; nothing may be there")
    parser.add_argument("--schema", help="schema of PostgreSQL, in place of INSTAR_REPLICAS__DB_SCHEMA")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run the command; returns the exit code, 0 or, if it fails or the copy differs, 1."""
    try:
        from service.wiring.moving.comparison import Compared  # noqa: PLC0415
        from service.wiring.moving.move import Differs, move  # noqa: PLC0415
    except ImportError as error:
        return _fail(f"a move needs `pip install 'instar[postgresql]'` ({error})")

    def show(compared: list[Compared]) -> None:
        for each in compared:
            print(f"{'ok' if each.is_equal else 'DIFFERS':<8} {each.kind:<14} {each.source}")
            if not each.is_equal:
                print(f"{'':<8} {'in the copy':<14} {each.target}")

    try:
        moved = move(arguments.source, arguments.target, settings, arguments.schema, _report)
    except Differs as error:
        show(error.compared)
        return _fail(error.message)
    except InstarError as error:
        return _fail(error.message)
    show(moved.compared)
    print(f"{arguments.target.partition('://')[0]} has everything of the moment at which last_seq was {moved.last_seq}")
    if moved.checkpoints:
        names = ", ".join(moved.checkpoints)
        print(f"checkpoints are not moved: a service there needs {names} in INSTAR_CHECKPOINTS_DIR")
    if moved.has_changed:
        print("the source was written to since: what came after that moment is not in the copy", file=sys.stderr)
    return 0


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _fail(message: str) -> int:
    print(message, file=sys.stderr)
    return 1
