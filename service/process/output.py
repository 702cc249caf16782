"""The standard output of a command, whose reader may have seen enough before the command is at its end."""

import errno
import io
import os
import select
import sys
from collections.abc import Callable
from typing import TextIO

_FULL = (errno.ENOSPC, errno.EDQUOT)


def printed(run: Callable[[], int]) -> int:
    """Run a command, and see its output to the reader; returns its exit code, and 1 if the output cannot be written.

    A reader that has gone, such as `head`, has seen enough, so that nothing is said then. Texts of users may have what
    the output cannot encode: its number is printed.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = run()
    except OSError as error:
        # It may be another pipe, such as one to a process of the command's own.
        if isinstance(error, BrokenPipeError) and not _has_reader():
            _drop(sys.stdout)
        # Commands say of their own files themselves that a disk is full, and not that one is broken.
        elif error.errno in _FULL:
            _complain(error)
        elif error.errno != errno.EIO or _is_written():
            raise
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
        if isinstance(error, BrokenPipeError):
            _drop(sys.stdout)
        else:
            _complain(error)
        return False
    return True


def _complain(error: OSError) -> None:
    """Say that the output cannot be written, unless the errors go there, too."""
    _drop(sys.stdout)
    try:
        print(f"the output cannot be written ({error.strerror}): make room, or send it elsewhere", file=sys.stderr)
    except OSError:
        _drop(sys.stderr)


def _has_reader() -> bool:
    """Say whether somebody has the other end of the output open."""
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)
    return not output.poll(0)


def _drop(output: TextIO) -> None:
    """Let the rest of the buffer go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
