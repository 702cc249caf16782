"""The command `migrate`: bring the database `INSTAR_STORE` up to date before any replica of this version starts.

A replica does the same at its start. So this is for a change that is to be seen before it is used.
"""

import argparse
import sys

from service.errors import InstarError
from service.settings import Settings

SETTINGS = ("store",)
DESCRIPTION = "Bring the database up to date before a new version starts, and start nothing."
EXAMPLE = "instar migrate --store postgresql://instar@db/instar"
LISTENS = False


def add(parser: argparse.ArgumentParser) -> None:
    """Add nothing: all flags are settings."""


def run(arguments: argparse.Namespace, settings: Settings) -> int:  # noqa: ARG001 (all commands have both)
    """Run the command; returns the exit code, 0 or, if it fails, 1."""
    if settings.store is None:
        print(
            "there is no database to bring up to date: say --store postgresql://…, or set INSTAR_STORE", file=sys.stderr
        )
        return 1
    try:
        # Imported here, because psycopg is an extra.
        from service.postgres import migrations  # noqa: PLC0415
        from service.postgres.database import Database  # noqa: PLC0415
    except ImportError as error:
        print(f"psycopg is missing: pip install 'instar[postgresql]' ({error})", file=sys.stderr)
        return 1
    schema = settings.replicas.db_schema
    try:
        Database(settings.store.get_secret_value(), schema, connections=1).close()
    except InstarError as error:
        print(error.message, file=sys.stderr)
        return 1
    print(
        f"the schema {schema} is up to date: {migrations.scripts()[-1][0].removesuffix('.sql')} is its last migration"
    )
    return 0
