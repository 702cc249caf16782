"""The commands of the service, with settings as flags. A command's module is imported when the command is asked for."""

import os
import sys
from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, cast

from service.process.parser import Parser

# What each command is for, in a line. `service/process/commands/` has a file for each.
COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "serve": "run the service",
        "check": "say whether a start would do, and what to do if not; changes nothing",
        "key": "make, list and revoke the keys of callers",
        "restore": "make the data folder out of a backup",
        "move": "copy a data folder to PostgreSQL, or back, and compare both",
        "migrate": "bring the database up to date, and start nothing",
        "embed": "embed the corpus for a reload beforehand, on a Ray cluster",
    }
)
_SERVING = "serve"
_REMEDY = "run it as the user of the service, and see that the files may be read and written and the disk has room"


class Command(Protocol):
    """The module of a command.

    `SETTINGS` names the settings that are its flags, and `DESCRIPTION` and `EXAMPLE` are for its help. `LISTENS` says
    whether it listens as the settings say; one that does not needs no key.
    """

    SETTINGS: tuple[str, ...]
    DESCRIPTION: str
    EXAMPLE: str
    LISTENS: bool

    def add(self, parser: ArgumentParser) -> None:
        """Add the flags of its own."""

    def run(self, arguments: Namespace, settings: Any) -> int:
        """Run it; returns the exit code."""


def listed(commands: Mapping[str, str]) -> str:
    """The commands and what they are for, a line each."""
    return "\n".join(f"  {name:<10} {purpose}" for name, purpose in commands.items())


def run(name: str, arguments: Sequence[str], program: str) -> int:
    """Run a command of the service; returns the exit code, which is 1 if it fails, and 2 if a setting is wrong.

    A wrong argument ends the process with the code 2, and `--help` with 0. Ctrl+C ends a command by 130.
    """
    command = cast(Command, import_module(f"service.process.commands.{name}"))
    parser = Parser(prog=f"{program} {name}", description=command.DESCRIPTION, example=command.EXAMPLE)
    command.add(parser)
    for last in parser.last():
        _add_settings(last, command.SETTINGS)
    parsed = parser.parse_args(arguments)
    settings = _settings(command, parsed)
    if settings is None:
        return 2
    if name == _SERVING:
        # Signals of a service are its own, and so is what it logs.
        return command.run(parsed, settings)
    try:
        return command.run(parsed, settings)
    except BrokenPipeError:
        # The reader of the output has gone, which is no failure (`printed`).
        raise
    except OSError as error:
        print(f"{name} failed ({error}): {_REMEDY}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"stopped before its end: run {program} {name} again", file=sys.stderr)
        return 130


def _add_settings(parser: ArgumentParser, names: Sequence[str]) -> None:
    """Add a flag for each of the settings, and one for a file of all others."""
    from service.settings import Settings  # noqa: PLC0415

    group = parser.add_argument_group(
        "settings", "All other settings are variables of the environment (docs/settings.md), or of a file."
    )
    for name in names:
        field = Settings.model_fields[name]
        # argparse reads a percent sign as a format.
        text = (field.description or "").replace("%", "%%")
        default = "" if field.default in (None, False) else f"; default {field.default}"
        options: dict[str, Any] = (
            {"action": BooleanOptionalAction}
            if field.annotation is bool
            else {"metavar": name.rpartition("_")[2].upper()}
        )
        flag = f"--{name.replace('_', '-')}"
        group.add_argument(flag, default=None, help=f"{text} (INSTAR_{name.upper()}{default})", **options)
    group.add_argument(
        "--env-file", type=Path, metavar="FILE", help="lines NAME=VALUE; the environment and flags win over them"
    )


def _settings(command: Command, arguments: Namespace) -> Any:
    """The settings of the flags, the environment and the file. None: something is wrong there, and was said."""
    from pydantic import ValidationError  # noqa: PLC0415
    from pydantic_settings import SettingsError  # noqa: PLC0415

    from service.settings import Settings  # noqa: PLC0415
    from service.settings.names import spelled  # noqa: PLC0415

    flags = {name: value for name in command.SETTINGS if (value := getattr(arguments, name)) is not None}
    if not command.LISTENS:
        flags.setdefault("host", "127.0.0.1")
    try:
        _read_env_file(arguments.env_file)
    except (OSError, ValueError) as error:
        print(f"--env-file: {error}: name a file that can be read, in UTF-8", file=sys.stderr)
        return None
    try:
        return Settings(**flags)
    except OSError as error:
        print(f"settings: {error}: {_REMEDY}", file=sys.stderr)
    except SettingsError as error:
        print(f"settings: {error}: write lists and objects as JSON", file=sys.stderr)
    except ValidationError as error:
        for problem in error.errors():
            name = spelled(problem["loc"], os.environ) if problem["loc"] else "settings"
            print(f"{name}: {problem['msg']}", file=sys.stderr)
    return None


def _read_env_file(path: Path | None) -> None:
    """Set the variables of the file that the environment does not have. Children of this process have them, too."""
    if path is None:
        return
    from dotenv import dotenv_values  # noqa: PLC0415

    # Some editors begin UTF-8 with a mark.
    with path.open(encoding="utf-8-sig") as lines:
        for name, value in dotenv_values(stream=lines).items():
            os.environ.setdefault(name, value or "")
