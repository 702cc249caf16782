"""A parser of arguments that names the nearest flag for one that there is not, and takes settings as flags."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

_WIDTH = 110


class Parser(argparse.ArgumentParser):
    """argparse's parser with whole flags only, an example at the end of its help, and messages that help on."""

    def __init__(self, *, example: str = "", **options: Any) -> None:
        super().__init__(
            allow_abbrev=False,
            epilog=f"example:\n  {example}" if example else None,
            formatter_class=_Help,
            **options,
        )

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Return the arguments. An unknown flag ends the process with the code 2 and the nearest flag."""
        arguments, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.error(f"there is no {unknown[0]}{meant(unknown[0].partition('=')[0], _flags(self))}")
        return arguments

    def error(self, message: str) -> NoReturn:
        """End the process with the code 2."""
        self.exit(2, f"{message}; {self.prog} --help says what there is\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Write help as `print` does: argparse says nothing of an output that cannot be written."""
        if file is not None and file is sys.stdout:
            file.write(message)
        else:
            super()._print_message(message, file)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a value that is none of the action's choices by the nearest one, or by all of them."""
        if action.choices is not None and value not in action.choices:
            names = list(map(str, action.choices))
            advice = meant(str(value), names) or f": use one of {', '.join(names)}"
            raise argparse.ArgumentError(action, f"there is no {value}{advice}")

    def last(self) -> "list[Parser]":
        """The parsers that have no subcommands: this one, or those of its subcommands."""
        return [one for sub in _subparsers(self) if isinstance(sub, Parser) for one in sub.last()] or [self]


def meant(word: str, names: Iterable[str]) -> str:
    """The question whether the name nearest to a word is meant, or nothing if none is near."""
    near = get_close_matches(word, list(names), 1)
    return f": is {near[0]} meant?" if near else ""


def _flags(parser: argparse.ArgumentParser) -> Iterator[str]:
    """The flags of a parser and of its subcommands."""
    for action in parser._actions:
        yield from action.option_strings
    for sub in _subparsers(parser):
        yield from _flags(sub)


def _subparsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.values()


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help whose flags stand in a column, and whose metavars are not said twice."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=_WIDTH)
