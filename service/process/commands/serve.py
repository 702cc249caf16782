"""The command `serve`: the service itself, until a signal."""

import argparse
import gc
import logging
import os

from service.process import address, environment
from service.settings import Settings

SETTINGS = ("host", "port", "data_dir", "checkpoints_dir", "store", "model", "sample", "mode", "engine", "allow_hub")
DESCRIPTION = "Run the service. It listens on this machine alone until there is a key for /admin."
EXAMPLE = "instar serve --port 9000 --data-dir /var/lib/instar"
LISTENS = True


def add(parser: argparse.ArgumentParser) -> None:
    """Add nothing: all flags are settings."""


def run(arguments: argparse.Namespace, settings: Settings) -> int:  # noqa: ARG001 (all commands have both)
    """Serve; returns the exit code, 1 if the service cannot start."""
    # First, because everything else takes long, and nobody waits for that to read that the port is taken.
    problem = address.problem(settings.host, settings.port)
    if problem is not None:
        from service.process import logs  # noqa: PLC0415

        logs.set_up("error", settings.log.format)
        logging.getLogger(__name__).error("the service cannot start: %s", problem)
        return 1
    environment.prepare(os.environ)
    environment.limit_arenas()
    # The imports make objects that stay. Collections would go through these again and again, for a quarter of the time.
    # `serve` collects once, and switches collections on again.
    gc.disable()
    # Imported here, because it imports torch: a wrong setting is reported at once.
    from service.process.server import serve  # noqa: PLC0415

    return serve(settings)
