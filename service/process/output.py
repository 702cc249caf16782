"""The standard output of a command, whose reader may have seen enough before the command is at its end."""

import io
import os
import select
import sys
from collections.abc import Callable


def printed(run: Callable[[], int]) -> int:
    """Run a command, and see its output to the reader; returns its exit code, and 1 if the output cannot be written.

    A reader that has gone, such as `head`, has seen enough, so that nothing is said then. Texts of users may have what
    the output cannot encode: its number is printed.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = run()
    except BrokenPipeError:
        # It may be another pipe, such as one to a process of the command's own.
        if _has_reader():
            raise
        _drop()
        return 1
    except SystemExit:
        # The help of a command ends so.
        if _is_written():
            raise
        return 1
    return code if _is_written() else 1


def _is_written() -> bool:
    """Write what is in the buffer, here and not at the exit, where a failure is a message of Python's and the code 120.

    Return whether that was possible.
    """
    # A process may be started without an output.
    if sys.stdout is None:
        return True
    try:
        sys.stdout.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            print(f"the output cannot be written ({error.strerror}): make room, or send it elsewhere", file=sys.stderr)
        _drop()
        return False
    return True


def _has_reader() -> bool:
    """Say whether somebody has the other end of the output open."""
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)
    return not output.poll(0)


def _drop() -> None:
    """Let the rest of the buffer go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
