"""The command `restore`: a data folder out of a backup."""

import argparse
import sys
from pathlib import Path

from service.settings import Settings

SETTINGS = ("data_dir",)
DESCRIPTION = "Make the data folder out of a backup. Nothing may be there yet."
EXAMPLE = "curl http://127.0.0.1:8080/admin/backup | instar restore --data-dir copy -"
LISTENS = False


def add(parser: argparse.ArgumentParser) -> None:
    """Add what is restored."""
    parser.add_argument("file", help="what GET /admin/backup answered, or - for standard input")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Restore; returns the exit code, 1 if the backup cannot be used."""
    from service.corpus.sqlite import offline  # noqa: PLC0415
    from service.errors import InstarError  # noqa: PLC0415
    from service.generations import backup  # noqa: PLC0415

    try:
        if arguments.file == "-":
            backup.restore(sys.stdin.buffer, settings.data_folder, offline.damage)
        else:
            with Path(arguments.file).open("rb") as archive:
                backup.restore(archive, settings.data_folder, offline.damage)
    except InstarError as error:
        print(error.message, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"the backup cannot be restored ({error}): check the file and the disk", file=sys.stderr)
        return 1
    print(f"{settings.data_dir} is restored: start the service, which embeds the documents before it is ready")
    return 0
