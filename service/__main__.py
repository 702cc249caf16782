"""`python -m service`: run the service, or another of its commands. `instar` has all of them, and more."""

import sys
from collections.abc import Sequence
from functools import partial

from service.process import command_line
from service.process.output import printed
from service.process.parser import meant


def main(arguments: Sequence[str] | None = None, program: str = "python -m service") -> int:
    """Run the command line, by default that of the process; returns the exit code.

    Without a command it serves. The code is 1 if a command fails, and 2 if a setting or an argument is wrong.
    """
    return printed(partial(_run, sys.argv[1:] if arguments is None else arguments, program))


def _run(arguments: Sequence[str], program: str) -> int:
    if arguments and arguments[0] in ("-h", "--help"):
        commands = command_line.listed(command_line.COMMANDS)
        print(f"usage: {program} [COMMAND] …\n\n{commands}\n\n{program} COMMAND --help says more.")
        return 0
    name, *rest = arguments if arguments and not arguments[0].startswith("-") else ["serve", *arguments]
    if name not in command_line.COMMANDS:
        print(f"there is no command {name}{meant(name, command_line.COMMANDS)}", file=sys.stderr)
        return 2
    return command_line.run(name, rest, program)


if __name__ == "__main__":
    sys.exit(main())
