"""Words to a person on the way: on standard error, so that standard output holds the answer alone."""

import os
import sys
from collections.abc import Callable
from typing import TextIO

from tqdm import tqdm

# Between two lines about the same work in a file.
_SECONDS = "10"


def say(text: str, *, quiet: bool) -> None:
    """Print a line at once, unless the answer is for a machine."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def prepare() -> None:
    """Have progress bars that nobody watches print a line now and then. Call it before a bar is made."""
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_MININTERVAL", _SECONDS)
        tqdm.status_printer = staticmethod(_lines)  # type: ignore[assignment,method-assign]


def _lines(file: TextIO) -> Callable[[str], None]:
    """A printer that gives each state of a bar a line, where a terminal would replace it."""

    def show(state: str) -> None:
        if state.strip():
            print(state.strip(), file=file, flush=True)

    return show
