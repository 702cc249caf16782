"""`instar`: all commands, by what they are for. A command's modules are imported when it is asked for."""

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from types import MappingProxyType
from typing import cast

from instar.commands.base import Command
from service.process import command_line as of_service
from service.process.output import printed
from service.process.parser import Parser, meant

_ASKING = MappingProxyType(
    {
        "load": "bring own documents: files and folders, cut into passages",
        "search": "ask a question",
        "reload": "replace the model, and see it happen",
    }
)
_TEACHING = MappingProxyType({"train": "tune a model on judgements, and prove that it is better"})
_SERVING = "serve"
_OPERATING = {name: purpose for name, purpose in of_service.COMMANDS.items() if name != _SERVING}
_GROUPS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "use": {_SERVING: of_service.COMMANDS[_SERVING], **_ASKING},
        "teach": _TEACHING,
        "operate": _OPERATING,
    }
)
_EXAMPLE = """\
example:
  instar serve
  instar load docs/
  instar search "How do I count my stock again?\""""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code.

    It is 1 if the command fails, and 2 if a setting or an argument is wrong. For a reload it is 3 if the model is not
    better, and 4 if nobody knows how it ends.
    """
    return printed(partial(_run, sys.argv[1:] if arguments is None else arguments))


def _run(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help())
        return 0
    name, *rest = arguments
    if name == "--version":
        from importlib import metadata  # noqa: PLC0415

        print(f"instar {metadata.version('instar')}")
        return 0
    if name in of_service.COMMANDS:
        return of_service.run(name, rest, "instar")
    if name in _TEACHING:
        from trainer.__main__ import main as train  # noqa: PLC0415

        return train(rest, "instar train")
    if name in _ASKING:
        return _ask(name, rest)
    print(f"there is no command {name}{meant(name, [*of_service.COMMANDS, *_TEACHING, *_ASKING])}", file=sys.stderr)
    return 2


def _help() -> str:
    groups = "\n\n".join(f"{title}:\n{of_service.listed(commands)}" for title, commands in _GROUPS.items())
    return (
        f"usage: instar COMMAND …\n\n{groups}\n\n{_EXAMPLE}\n\ninstar COMMAND --help says more, instar --version which."
    )


def _ask(name: str, arguments: Sequence[str]) -> int:
    """Run a command that asks a service."""
    # The client loads httpx, which the other commands do without.
    from instar.client.errors import InstarError, WrongSetting  # noqa: PLC0415

    command = cast(Command, import_module(f"instar.commands.{name}"))
    parser = Parser(prog=f"instar {name}", description=command.DESCRIPTION, example=command.EXAMPLE)
    command.add(parser)
    where = parser.add_argument_group("service")
    where.add_argument("--url", help="address of the service (INSTAR_URL; default this machine, port INSTAR_PORT)")
    where.add_argument(
        "--key", help="key that opens it; other users of this machine see a flag, and not INSTAR_KEY of the environment"
    )
    parsed = parser.parse_args(arguments)
    try:
        return command.run(parsed)
    except WrongSetting as error:
        print(error, file=sys.stderr)
        return 2
    except InstarError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
