"""The output of a command can be cut off, as `head` does, without a traceback."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.process.output import printed

# A command that prints so many results.
TALKING = """
import sys
from instar.command_line import main
from instar.commands import search
search.run = lambda arguments: print("a result\\n" * int(arguments.question)) or 0
sys.exit(main(["search", sys.argv[1]]))
"""
# More than a pipe holds, and as much as waits in a buffer until the end.
MUCH, LITTLE = 100_000, 300


@pytest.mark.parametrize(("results", "lines"), [(MUCH, 1), (MUCH, 0), (LITTLE, 0), (5 * LITTLE, 0)])
def test_a_reader_that_has_seen_enough_sees_no_traceback(results: int, lines: int) -> None:
    assert cut_off(["-c", TALKING, str(results)], lines) == (1, b"")


@pytest.mark.parametrize("arguments", [["--help"], ["search", "--help"], ["key", "list", "--help"]])
def test_help_can_be_cut_off_as_well(arguments: list[str]) -> None:
    assert cut_off(["-m", "instar", *arguments], 0) == (1, b"")


@pytest.mark.parametrize("more", [{}, {"PYTHONUNBUFFERED": "1"}])
@pytest.mark.parametrize(
    "arguments", [["-c", TALKING, str(MUCH)], ["-m", "instar", "--help"], ["-m", "instar", "load", "--help"]]
)
def test_an_output_that_cannot_be_written_is_said(arguments: list[str], more: dict[str, str]) -> None:
    command, env = [sys.executable, *arguments], buffered() | more
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=env, check=False)
        # Nobody can be told where the errors go there, too.
        silent = subprocess.run(command, stdout=full, stderr=full, env=env, check=False)
    said = "the output cannot be written (No space left on device): make room, or send it elsewhere\n"
    assert (ran.returncode, ran.stderr.decode()) == (1, said)
    assert silent.returncode == 1


def test_a_disk_that_is_broken_is_not_the_output_where_that_can_be_written() -> None:
    def read() -> int:
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        printed(read)


def test_a_pipe_that_is_not_the_output_is_no_reader_that_has_seen_enough() -> None:
    def lose() -> int:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        printed(lose)


def cut_off(command: list[str], lines: int) -> tuple[int, bytes]:
    """How Python ends whose reader goes after so many lines, and what it says."""
    running = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=buffered()
    )
    assert running.stdout is not None
    for _ in range(lines):
        running.stdout.readline()
    running.stdout.close()
    _, said = running.communicate(timeout=60)
    return running.returncode, said


def buffered() -> dict[str, str]:
    """The environment of a Python that writes when its buffer is full, or at the end."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
