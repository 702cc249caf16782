"""Brings a schema up to date: numbered files of SQL, each applied once, one after another, by one process at a time."""

import logging
import re
import time
from importlib import resources
from typing import Any

import psycopg
from psycopg import sql

from service.postgres.errors import SchemaTooNew

_FILE = re.compile(r"(\d{4})_[a-z_]+\.sql")
# The key of the lock under which migrations run: "instar" in ASCII.
_LOCK = 0x696E73746172
# Seconds of an attempt, and between two of them.
_PATIENCE, _AGAIN = 1.0, 5.0

log = logging.getLogger(__name__)


def migrate(connection: psycopg.Connection[tuple[Any, ...]], schema: str) -> None:
    """Apply to `schema` the migrations that it lacks, all or none. `connection` commits by itself.

    A table that somebody reads, as a dump does, is waited for in short attempts: whoever else reads it would wait
    behind a long one. Raises SchemaTooNew if the schema has a migration that this version does not know.
    """
    while True:
        try:
            _migrate(connection, schema)
            return
        except psycopg.errors.LockNotAvailable:
            log.warning(
                "the tables of %s are in use, as by a dump: it is brought up to date when they are free", schema
            )
        time.sleep(_AGAIN)


def _migrate(connection: psycopg.Connection[tuple[Any, ...]], schema: str) -> None:
    files = scripts()
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        there = applied(connection, schema)
        if there > len(files):
            raise SchemaTooNew(schema, there, len(files))
        if there == len(files):
            return
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        connection.execute("SELECT set_config('lock_timeout', %s, true)", (f"{_PATIENCE * 1000:.0f}",))
        connection.execute(sql.SQL("SET LOCAL search_path TO {}, public").format(sql.Identifier(schema)))
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations"
            " (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied TIMESTAMPTZ NOT NULL DEFAULT now())"
        )
        for number, (name, script) in enumerate(files[there:], there + 1):
            connection.execute(script.encode())
            connection.execute("INSERT INTO migrations (number, name) VALUES (%s, %s)", (number, name))


def scripts() -> list[tuple[str, str]]:
    """List the migrations by name and text, in their order."""
    folder = resources.files("service.postgres") / "migrations"
    files = sorted(
        (file.name, file.read_text(encoding="utf-8")) for file in folder.iterdir() if file.name.endswith("sql")
    )
    for number, (name, _) in enumerate(files, 1):
        matched = _FILE.fullmatch(name)
        if matched is None or int(matched[1]) != number:
            raise ValueError(f"the migration {name} must be number {number:04}: name it {number:04}_what_it_makes.sql")
    return files


def applied(connection: psycopg.Connection[tuple[Any, ...]], schema: str) -> int:
    """Return the number of migrations that the schema has, 0 if it is not there."""
    named = sql.SQL("{}.migrations").format(sql.Identifier(schema))
    row = connection.execute("SELECT to_regclass(%s)", (named.as_string(connection),)).fetchone()
    if row is None or row[0] is None:
        return 0
    count = connection.execute(sql.SQL("SELECT coalesce(max(number), 0) FROM {}").format(named)).fetchone()
    return int(count[0]) if count else 0
