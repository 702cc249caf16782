"""`instar migrate` makes the tables and ends."""

import os
import subprocess
import sys
from uuid import uuid4

import psycopg
from psycopg import sql

from tests.support.postgres import Postgres


def migrate(**settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("INSTAR_")}
    named = {f"INSTAR_{name}": value for name, value in settings.items()}
    return subprocess.run(
        [sys.executable, "-m", "service", "migrate"],
        env=environment | named,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_tables_are_made_once_and_a_newer_schema_is_refused(database: Postgres) -> None:
    schema = f"s{uuid4().hex}"
    for _ in range(2):
        ran = migrate(STORE=database.url(), REPLICAS__DB_SCHEMA=schema)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert f"the schema {schema} is up to date" in ran.stdout
    named = sql.SQL("{}.migrations").format(sql.Identifier(schema))
    with psycopg.connect(database.url(), autocommit=True) as connection:
        ((first, last, count),) = connection.execute(
            sql.SQL("SELECT min(number), max(number), count(*) FROM {}").format(named)
        ).fetchall()
        assert (first, last) == (1, count)
        connection.execute(sql.SQL("INSERT INTO {} VALUES (%s, 'later.sql')").format(named), (count + 1,))
    refused = migrate(STORE=database.url(), REPLICAS__DB_SCHEMA=schema)
    assert refused.returncode == 1
    assert schema in refused.stderr


def test_without_a_database_it_says_so() -> None:
    ran = migrate()
    assert ran.returncode == 1
    assert "set INSTAR_STORE" in ran.stderr
    unreachable = migrate(STORE="postgresql://nobody@127.0.0.1:1/nothing")
    assert unreachable.returncode == 1
    assert unreachable.stderr
