"""Schemas of PostgreSQL for stores under test: a server of each version for all tests of a session."""

from contextlib import ExitStack, closing
from functools import cache
from itertools import count
from pathlib import Path

from psycopg import sql

from service.postgres.database import Database
from tests.support.postgres import Postgres, running

_RUNNING = ExitStack()
_NUMBERS = count()


@cache
def server(programs: Path) -> Postgres:
    """The server of these programs, which runs until `stop_servers`."""
    return _RUNNING.enter_context(running(programs))


def stop_servers() -> None:
    """Stop all servers that were started."""
    _RUNNING.close()
    server.cache_clear()
    shared_database.cache_clear()


def new_database(programs: Path) -> Database:
    """A schema that nobody has used."""
    return Database(server(programs).url(), f"schema_{next(_NUMBERS)}")


@cache
def shared_database(programs: Path) -> Database:
    """The schema of all tests that leave it empty, which takes less time than a new one for each."""
    opened = new_database(programs)
    return _RUNNING.enter_context(closing(opened))


def drop(database: Database) -> None:
    """Drop the schema with all that is in it."""
    with database.read() as connection:
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(database.schema)))
