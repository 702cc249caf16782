"""The output of a command can be cut off, as `head` does, without a traceback."""

import subprocess
import sys

# A command that says more than a pipe holds.
TALKING = """
import sys
from instar.command_line import main
from instar.commands import search
search.run = lambda arguments: print("a result\\n" * 100_000) or 0
sys.exit(main(["search", "closing the day"]))
"""


def test_a_reader_that_has_seen_enough_sees_no_traceback() -> None:
    command = subprocess.Popen([sys.executable, "-c", TALKING], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert command.stdout is not None
    assert command.stdout.readline() == b"a result\n"
    command.stdout.close()
    _, said = command.communicate(timeout=60)
    assert (command.returncode, said) == (1, b"")
