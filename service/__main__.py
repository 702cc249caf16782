"""`python -m service`: run the service, check its settings, restore a backup, make keys, move or migrate a store, or
embed on Ray."""

import argparse
import gc
import os
import sys
from pathlib import Path

from pydantic import ValidationError
from pydantic_settings import SettingsError

from service.process import embed_command, environment, key_command, migrate_command, move_command
from service.settings import Settings
from service.settings.names import spelled


def main() -> int:
    """Run the command line; returns the exit code.

    The code is 1 if the service cannot start, the check finds something wrong, the backup cannot be used or a move
    fails, and 2 if a setting or an argument is wrong.
    """
    arguments = _parser().parse_args()
    try:
        # Other commands do not listen, so they need no key: one of them makes the first key.
        settings = Settings() if arguments.command in (None, "check") else Settings(host="127.0.0.1")
    except SettingsError as error:
        print(f"settings: {error}: write lists and objects as JSON", file=sys.stderr)
        return 2
    except ValidationError as error:
        for problem in error.errors():
            name = spelled(problem["loc"], os.environ) if problem["loc"] else "settings"
            print(f"{name}: {problem['msg']}", file=sys.stderr)
        return 2
    if arguments.command is not None:
        return _run(arguments, settings)
    environment.prepare(os.environ)
    environment.limit_arenas()
    # The imports make objects that stay. Collections would go through these again and again, for a quarter of the time.
    # `serve` collects once, and switches collections on again.
    gc.disable()
    # Imported here, because it imports torch: a wrong setting is reported at once.
    from service.process.server import serve  # noqa: PLC0415

    return serve(settings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m service", description="Run the service, with the settings INSTAR_* of the environment."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    restoring = commands.add_parser("restore", help="make the data folder INSTAR_DATA_DIR out of a backup")
    restoring.add_argument("file", help="what GET /admin/backup answered, or - for standard input")
    commands.add_parser("check", help="say whether a start would do, and what to do if not; changes nothing")
    key_command.add(commands)
    embed_command.add(commands)
    move_command.add(commands)
    migrate_command.add(commands)
    return parser


def _run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run another command than the service; returns the exit code."""
    if arguments.command == "check":
        return _check(settings)
    if arguments.command == "key":
        return key_command.run(arguments, settings.keys_path)
    if arguments.command == "move":
        return move_command.run(arguments, settings)
    if arguments.command == "embed":
        return embed_command.run(arguments, settings)
    if arguments.command == "migrate":
        return migrate_command.run(settings)
    return _restore(arguments.file, settings)


def _check(settings: Settings) -> int:
    from service.process import check  # noqa: PLC0415

    findings = check.findings(settings, os.environ)
    for finding in findings:
        print(f"{'WRONG' if finding.wrong else 'ok':<6} {finding.text}")
    return int(any(finding.wrong for finding in findings))


def _restore(file: str, settings: Settings) -> int:
    from service.corpus.sqlite import offline  # noqa: PLC0415
    from service.errors import InstarError  # noqa: PLC0415
    from service.generations import backup  # noqa: PLC0415

    try:
        if file == "-":
            backup.restore(sys.stdin.buffer, settings.data_folder, offline.damage)
        else:
            with Path(file).open("rb") as archive:
                backup.restore(archive, settings.data_folder, offline.damage)
    except InstarError as error:
        print(error.message, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"the backup cannot be restored ({error}): check the file and the disk", file=sys.stderr)
        return 1
    print(f"{settings.data_dir} is restored: start the service, which embeds the documents before it is ready")
    return 0


if __name__ == "__main__":
    sys.exit(main())
