"""The help of the commands: flags in groups, metavars that say what is meant, and an example.

A class that brings flags names their group in `GROUP`, and a command names an example in `EXAMPLE`.
"""

from argparse import ArgumentParser, RawDescriptionHelpFormatter, _ArgumentGroup, _SubParsersAction
from collections.abc import Sequence
from inspect import get_annotations
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_settings import BaseSettings, CliSettingsSource

_METAVARS = {"int": "N", "float": "X", "str": "TEXT", "Path": "PATH", "list[int]": "N,N", "list[float]": "X,X"}
_WIDTH = 110


def source(commands: type[BaseSettings], arguments: Sequence[str], program: str) -> CliSettingsSource[Any]:
    """Return the source of the values that `arguments` give to `commands`."""
    models: dict[str, type[BaseModel]] = {
        field.alias or name: get_args(field.annotation)[0] for name, field in commands.model_fields.items()
    }

    def add_parser(parsers: Any, name: str, **options: Any) -> Any:
        # argparse reads a percent sign as a format.
        example = getattr(models[name], "EXAMPLE", "").replace("%", "%%")
        epilog = f"example:\n  {program} {name} {example}" if example else None
        return _SubParsersAction.add_parser(parsers, name, epilog=epilog, **options)

    def add_argument(parser: Any, *names: str, **options: Any) -> Any:
        command = parser.prog.rpartition(" ")[2] if isinstance(parser, ArgumentParser) else ""
        if options.get("metavar") in _METAVARS:
            options["metavar"] = _METAVARS[options["metavar"]]
        for empty in (" (default: None)", " (default: )", " (default: [])"):
            options["help"] = (options.get("help") or "").removesuffix(empty)
        title = _group_of(models[command], names) if command in models else None
        place = parser if title is None else _group(parser, title)
        return ArgumentParser.add_argument(place, *names, **options)

    return CliSettingsSource(
        commands,
        cli_prog_name=program,
        cli_parse_args=list(arguments),
        add_argument_method=add_argument,
        add_parser_method=add_parser,
        formatter_class=_Help,
    )


def _group_of(command: type[BaseModel], names: Sequence[str]) -> str | None:
    """The group of a flag: that of the class which brings it, unless that is the command itself."""
    name = names[0].lstrip("-").replace("-", "_")
    fields = {field.alias or key: key for key, field in command.model_fields.items()}
    for kind in command.__mro__:
        if fields.get(name) in get_annotations(kind):
            group: str | None = kind.__dict__.get("GROUP")
            return group
    return None


def _group(parser: ArgumentParser, title: str) -> _ArgumentGroup:
    """The group with that title, which the first of its flags makes."""
    for group in parser._action_groups:
        if group.title == title:
            return group
    return parser.add_argument_group(title)


class _Help(RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=_WIDTH)
