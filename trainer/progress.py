"""Progress for people goes to standard error, so that standard output holds the answer alone."""

import os
import sys
from collections.abc import Callable
from typing import TextIO

from tqdm import tqdm

# Seconds between two lines of one progress bar, where standard error is no terminal.
_SECONDS = "10"


def say(text: str, *, quiet: bool) -> None:
    """Print a line at once, unless `quiet`."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def prepare() -> None:
    """Make progress bars print lines where standard error is no terminal. Call it before a bar is made."""
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_MININTERVAL", _SECONDS)
        tqdm.status_printer = staticmethod(_lines)  # type: ignore[assignment,method-assign]


def _lines(file: TextIO) -> Callable[[str], None]:
    """A printer that writes each state of a bar on a line of its own."""

    def show(state: str) -> None:
        if state.strip():
            print(state.strip(), file=file, flush=True)

    return show
