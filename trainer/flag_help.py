"""The help of the commands: flags in groups, metavars that say what is meant, and an example.

A class that brings flags names their group in `GROUP`, and a command names an example in `EXAMPLE`. A command with many
flags names those that people set first in `FIRST`, by their groups: `--help` lists these, and `--help-all` all.
"""

from argparse import SUPPRESS, ArgumentParser, RawDescriptionHelpFormatter, _ArgumentGroup, _SubParsersAction
from collections.abc import Mapping, Sequence
from inspect import get_annotations
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_settings import BaseSettings, CliSettingsSource

_METAVARS = {"int": "N", "float": "X", "str": "TEXT", "Path": "PATH", "list[int]": "N,N", "list[float]": "X,X"}
_WIDTH = 110
_HELP, _HELP_ALL = "--help", "--help-all"
# Each of them asks for help.
ASKING = frozenset({"-h", _HELP, _HELP_ALL})
# The command whose example stands below the list of all of them.
_WHOLE = "run"


def source(commands: type[BaseSettings], arguments: Sequence[str], program: str) -> CliSettingsSource[Any]:
    """Return the source of the values that `arguments` give to `commands`."""
    models: dict[str, type[BaseModel]] = {
        field.alias or name: get_args(field.annotation)[0] for name, field in commands.model_fields.items()
    }

    whole = _HELP_ALL in arguments

    def add_parser(parsers: Any, name: str, **options: Any) -> Any:
        example = _example(models[name])
        sections = [f"example:\n  {program} {name} {example}"] if example else []
        if _first(models[name]) and not whole:
            sections.append(_others(models[name], f"{program} {name} {_HELP_ALL}"))
        parser = _SubParsersAction.add_parser(parsers, name, epilog="\n\n".join(sections) or None, **options)
        for title in _first(models[name]):
            parser.add_argument_group(title)
        return parser

    def add_subparsers(parser: Any, **options: Any) -> Any:
        example = f"example:\n  {program} {_WHOLE} {_example(models[_WHOLE])}"
        parser.epilog = f"{example}\n\n{program} COMMAND --help says more."
        return ArgumentParser.add_subparsers(parser, **options)

    def add_argument(parser: Any, *names: str, **options: Any) -> Any:
        command = parser.prog.rpartition(" ")[2] if isinstance(parser, ArgumentParser) else ""
        if options.get("metavar") in _METAVARS:
            options["metavar"] = _METAVARS[options["metavar"]]
        for empty in (" (default: None)", " (default: )", " (default: [])"):
            options["help"] = (options.get("help") or "").removesuffix(empty)
        title = None
        if command in models:
            title = _group_of(models[command], names)
            if not whole and _is_later(models[command], names):
                options["help"] = SUPPRESS
        place = parser if title is None else _group(parser, title)
        action = ArgumentParser.add_argument(place, *names, **options)
        if title is not None:
            _put_first(place, _first(models[command]).get(title, ()))
        return action

    return CliSettingsSource(
        commands,
        cli_prog_name=program,
        cli_parse_args=[_HELP if argument == _HELP_ALL else argument for argument in arguments],
        add_argument_method=add_argument,
        add_parser_method=add_parser,
        add_subparsers_method=add_subparsers,
        formatter_class=_Help,
    )


def _example(command: type[BaseModel]) -> str:
    """The flags of a command's example, as argparse wants them: it reads a percent sign as a format."""
    example: str = getattr(command, "EXAMPLE", "")
    return example.replace("%", "%%")


def _group_of(command: type[BaseModel], names: Sequence[str]) -> str | None:
    """The group of a flag: one of the first, or that of the class which brings it, unless that is the command."""
    name = _name(names)
    for title, first in _first(command).items():
        if name in first:
            return title
    fields = {field.alias or key: key for key, field in command.model_fields.items()}
    for kind in command.__mro__:
        if fields.get(name) in get_annotations(kind):
            group: str | None = kind.__dict__.get("GROUP")
            return group
    return None


def _first(command: type[BaseModel]) -> Mapping[str, Sequence[str]]:
    """The flags that people set first, by their groups; nothing for a command that lists all at once."""
    first: Mapping[str, Sequence[str]] = getattr(command, "FIRST", {})
    return first


def _is_later(command: type[BaseModel], names: Sequence[str]) -> bool:
    """Whether a flag is not among those that people set first."""
    first = [name for group in _first(command).values() for name in group]
    return bool(first) and _name(names) not in first


def _others(command: type[BaseModel], asking: str) -> str:
    """A sentence on the flags that are not among the first."""
    count = len(command.model_fields) - sum(map(len, _first(command).values()))
    titles = [kind.__dict__["GROUP"] for kind in reversed(command.__mro__) if "GROUP" in kind.__dict__]
    return f"{count} more flags ({', '.join(dict.fromkeys(titles))} and others):\n  {asking}"


def _name(names: Sequence[str]) -> str:
    """The name of a flag or argument as its field has it. That of an argument follows its command and a dot."""
    return names[0].lstrip("-").rpartition(".")[2].replace("-", "_") if names else ""


def _group(parser: ArgumentParser, title: str) -> _ArgumentGroup:
    """The group with that title, which the first of its flags makes."""
    for group in parser._action_groups:
        if group.title == title:
            return group
    return parser.add_argument_group(title)


def _put_first(group: _ArgumentGroup, first: Sequence[str]) -> None:
    """Put the flags of the group that people set first before the others, in their order."""
    places = {name: place for place, name in enumerate(first)}
    group._group_actions.sort(key=lambda flag: places.get(_name(flag.option_strings or [flag.dest]), len(places)))


class _Help(RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=_WIDTH)
