"""The command `check`: whether a start would do. It changes nothing."""

import argparse
import os

from service.process.commands import serve
from service.settings import Settings

SETTINGS = serve.SETTINGS
DESCRIPTION = (
    "Say whether a start with these settings would do, and what to do if not. It changes nothing, and may run beside a"
    " service that is at work."
)
EXAMPLE = "instar check --data-dir /var/lib/instar"
LISTENS = True


def add(parser: argparse.ArgumentParser) -> None:
    """Add nothing: all flags are settings."""


def run(arguments: argparse.Namespace, settings: Settings) -> int:  # noqa: ARG001 (all commands have both)
    """Print the findings; returns the exit code, 1 if one of them is wrong."""
    from service.process import check  # noqa: PLC0415

    findings = check.findings(settings, os.environ)
    for finding in findings:
        print(f"{'WRONG' if finding.wrong else 'ok':<6} {finding.text}")
    return int(any(finding.wrong for finding in findings))
