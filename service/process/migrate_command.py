"""`python -m service migrate`: bring the database `INSTAR_STORE` up to date before any replica of this version starts.

A replica does the same at its start. So this is for a change that is to be seen before it is used.
"""

import sys
from typing import Any

from service.errors import InstarError
from service.settings import Settings


def add(commands: Any) -> None:
    """Add the command to the `commands` of the parser."""
    commands.add_parser("migrate", help="bring the database INSTAR_STORE up to date, and start nothing")


def run(settings: Settings) -> int:
    """Run the command; returns the exit code, 0 or, if it fails, 1."""
    if settings.store is None:
        print("there is no database to bring up to date: set INSTAR_STORE to its URL", file=sys.stderr)
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
