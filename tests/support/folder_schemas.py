"""Schemas of a PostgreSQL server, one for each folder that a test would keep files in."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg import sql

from service.postgres.database import Database
from tests.support.postgres import Postgres


class Schemas:
    """Makes a schema when a folder is first asked for, and drops the one before."""

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self._folder: Path | None = None
        self._database: Database | None = None
        self._made = 0

    def of(self, folder: Path) -> Database:
        """The schema that stands for this folder."""
        if self._database is None or self._folder != folder:
            self.close()
            self._made += 1
            self._folder = folder
            self._database = Database(self.server.url(), f"test {self._made}")
        return self._database

    def close(self) -> None:
        """Drop the schema."""
        if self._database is not None:
            with self._database.write() as connection:
                connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(self._database.schema)))
            self._database.close()
            self._database = None


@contextmanager
def schemas_of(server: Postgres) -> Iterator[Schemas]:
    """Schemas that are dropped in the end."""
    schemas = Schemas(server)
    try:
        yield schemas
    finally:
        schemas.close()
