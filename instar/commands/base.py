"""A command that asks a service."""

from argparse import ArgumentParser, Namespace
from typing import Protocol


class Command(Protocol):
    """The module of a command. `DESCRIPTION` and `EXAMPLE` are for its help."""

    DESCRIPTION: str
    EXAMPLE: str

    def add(self, parser: ArgumentParser) -> None:
        """Add its flags."""

    def run(self, arguments: Namespace) -> int:
        """Run it; returns the exit code. Raises InstarError."""
