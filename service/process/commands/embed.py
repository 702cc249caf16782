"""The command `embed`: embed the documents of a shared store on a Ray cluster, before a reload."""

from __future__ import annotations

import argparse
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from service.errors import InstarError
from service.process.embedding import Outcome, WorkersFailed, duration, embed_all
from service.settings import Settings

if TYPE_CHECKING:
    from service.process.ray_workers import RayWorkers

SETTINGS = ("store", "checkpoints_dir", "data_dir", "engine")
DESCRIPTION = (
    "Embed all documents that lack a vector of the checkpoint, and store the vectors, so that the checkpoint's reload"
    " embeds nothing. It can be run again, and beside services. Every machine needs pip install 'instar[ray]'."
)
EXAMPLE = "instar embed --store postgresql://instar@db/instar --checkpoint handbook-v2"
LISTENS = False


def add(parser: argparse.ArgumentParser) -> None:
    """Add the checkpoint and the cluster."""
    parser.add_argument(
        "--checkpoint",
        required=True,
        metavar="NAME_OR_PATH",
        help="name of a checkpoint in INSTAR_CHECKPOINTS_DIR, or its path; all machines must be able to read it",
    )
    parser.add_argument("--address", help="Ray cluster to use, as HOST:PORT (default: a local one is started)")
    parser.add_argument(
        "--actors",
        type=_positive,
        metavar="N",
        help="processes that embed (default: one for each GPU; without GPUs one for each machine)",
    )


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run the command; returns the exit code: 0 if every document has a vector, 1 if not, 2 without a store."""
    settings = overridden(settings, arguments.checkpoint)
    if settings.store is None:
        print("there is no store: say --store postgresql://…, or set INSTAR_STORE", file=sys.stderr)
        return 2
    # Nobody is told that this runs.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        # Imported here, because it is an extra.
        from service.process.ray_workers import RayWorkers  # noqa: PLC0415
    except ImportError as error:
        print(f"embed needs pip install 'instar[ray]' ({error})", file=sys.stderr)
        return 1
    try:
        with RayWorkers(settings, arguments.address, arguments.actors) as workers:
            return _embed(settings, workers)
    except (InstarError, WorkersFailed) as error:
        print(
            f"embedding failed: {error}. Vectors that are stored stay, and the next run goes on from there",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("stopped: run the command again, which embeds the documents that have no vector yet", file=sys.stderr)
        return 130


def overridden(settings: Settings, checkpoint: str) -> Settings:
    """Return the settings with the checkpoint of the command, and paths that hold on other machines."""
    path = Path(checkpoint)
    folder, model = settings.checkpoints_dir, checkpoint
    if path.exists() and (path.is_absolute() or len(path.parts) > 1 or checkpoint.startswith(".")):
        folder, model = path.absolute().parent, path.absolute().name.removesuffix(".zip")
    signers = settings.signers_file and settings.signers_file.absolute()
    paths = {"checkpoints_dir": folder.absolute(), "data_dir": settings.data_dir.absolute(), "signers_file": signers}
    return settings.model_copy(update={"model": model, **paths})


def report(outcome: Outcome, identity: str, seconds: float) -> int:
    """Say how it ended, after so many seconds, for the checkpoint of that id; returns the exit code."""
    embedded = f"{outcome.embedded:,} were embedded in {duration(seconds)}"
    if outcome.missing:
        print(
            f"{outcome.missing:,} of {outcome.documents:,} documents have no vector of {identity}, and {embedded}:"
            f" {outcome.problem}; run the command again, which embeds the missing ones alone",
            file=sys.stderr,
        )
        return 1
    print(f"all {outcome.documents:,} documents have a vector of {identity}: {embedded}")
    return 0


def _embed(settings: Settings, workers: RayWorkers) -> int:
    from service.wiring.embedding import unembedded  # noqa: PLC0415

    print(f"loading {settings.model}, and looking for documents without a vector", file=sys.stderr, flush=True)
    checkpoint = workers.prepare()
    began = time.monotonic()
    with unembedded(settings, checkpoint.fingerprint) as lacking:
        outcome = embed_all(lacking, workers, partial(print, file=sys.stderr, flush=True))
    return report(outcome, checkpoint.identity, time.monotonic() - began)


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1: leave it out for the default")
    return number
