"""Schemas of PostgreSQL for tests, some of which are used again: a server of each version for a whole session."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from itertools import chain, count
from pathlib import Path

from psycopg import sql

from service.postgres.database import Database
from tests.support.postgres import Postgres, running

_RUNNING = ExitStack()
_FREE: defaultdict[Path, list[Database]] = defaultdict(list)
_NUMBERS = count()
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename <> 'migrations'"


@cache
def server(programs: Path) -> Postgres:
    """The server of these programs, which runs until `stop_servers`."""
    return _RUNNING.enter_context(running(programs))


def free(programs: Path) -> list[Database]:
    """Schemas of that server which are as new."""
    return _FREE[programs]


def stop_servers() -> None:
    """Stop all servers that were started."""
    for database in chain(*_FREE.values()):
        database.close()
    _FREE.clear()
    _RUNNING.close()
    server.cache_clear()
    shared_database.cache_clear()


def new_database(programs: Path) -> Database:
    """A schema that nobody has used, on the server of these programs."""
    return _new_schema(server(programs))


@cache
def shared_database(programs: Path) -> Database:
    """The schema of all tests that leave it empty, which takes less time than a new one for each."""
    opened = new_database(programs)
    return _RUNNING.enter_context(closing(opened))


def empty(database: Database) -> None:
    """Make a schema as new. To delete a few rows takes a fraction of the time in which tables are made."""
    with database.write() as connection:
        tables = connection.execute(_TABLES, (database.schema,)).fetchall()
        statements = [sql.SQL("DELETE FROM {}").format(sql.Identifier(name)) for (name,) in tables]
        connection.execute(sql.SQL("; ").join([*statements, sql.SQL("INSERT INTO counters DEFAULT VALUES")]))


def drop(database: Database) -> None:
    """Drop the schema with all that is in it."""
    with database.read() as connection:
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(database.schema)))


class FolderSchemas:
    """Schemas that stand for folders: one is made when its folder is first asked for, and the one before is dropped."""

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self._folder: Path | None = None
        self._database: Database | None = None

    def of(self, folder: Path) -> Database:
        """The schema that stands for this folder."""
        if self._database is None or self._folder != folder:
            self.close()
            self._folder, self._database = folder, _new_schema(self.server)
        return self._database

    def close(self) -> None:
        """Drop the schema."""
        if self._database is not None:
            drop(self._database)
            self._database.close()
            self._database = None


@contextmanager
def schemas_of(server: Postgres) -> Iterator[FolderSchemas]:
    """Schemas that are dropped in the end."""
    with closing(FolderSchemas(server)) as schemas:
        yield schemas


def _new_schema(server: Postgres) -> Database:
    # A name that has to be quoted.
    return Database(server.url(), f"schema {next(_NUMBERS)}")
