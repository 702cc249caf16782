"""`python -m service.settings`: print `docs/settings.md`, or check that a file still says what the settings are."""

import argparse
import difflib
import sys
from pathlib import Path

from service.settings.table import page


def main() -> int:
    """Run the command line; the exit code is 1 if the file of `--check` is not what `--table` prints."""
    parser = argparse.ArgumentParser(prog="python -m service.settings", description="The settings as a document.")
    parser.add_argument("--table", action="store_true", help="print every setting with its default and meaning")
    parser.add_argument("--check", metavar="FILE", type=Path, help="compare a file with what --table prints")
    options = parser.parse_args()
    if options.check is None:
        if not options.table:
            parser.print_help()
            return 2
        print(page(), end="")
        return 0
    text = options.check.read_text(encoding="utf-8")
    changes = difflib.unified_diff(text.splitlines(), page().splitlines(), str(options.check), "--table", lineterm="")
    for change in changes:
        print(change)
    return int(text != page())


if __name__ == "__main__":
    sys.exit(main())
