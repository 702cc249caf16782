"""What is said to a person on the way: standard error, so that standard output holds the answer alone."""

import sys


def say(text: str, *, quiet: bool) -> None:
    """Print a line at once, unless it is a machine that listens."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)
