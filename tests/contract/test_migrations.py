"""A schema that others use is brought up to date without holding them up."""

import threading
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from service.postgres import migrations
from service.postgres.database import Database
from tests.support import schemas
from tests.support.postgres import SERVERS
from tests.support.waiting import until


@pytest.fixture(params=SERVERS)
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    with closing(schemas.new_database(SERVERS[request.param])) as opened:
        yield opened
        schemas.drop(opened)


def test_whoever_reads_a_table_waits_for_no_migration_that_waits_for_a_dump(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(migrations, "_PATIENCE", 0.2)
    monkeypatch.setattr(migrations, "_AGAIN", 0.3)
    with database.write() as connection:
        connection.execute("ALTER TABLE changes DROP COLUMN mark")
        connection.execute("DELETE FROM migrations WHERE number > 8")

    def migrate() -> None:
        with psycopg.connect(database._conninfo, autocommit=True) as connection:
            migrations.migrate(connection, database.schema)

    migrating = threading.Thread(target=migrate)
    with database.write() as dump:
        dump.execute("LOCK TABLE changes IN ACCESS SHARE MODE")
        migrating.start()
        until(lambda: "are in use, as by a dump" in caplog.text)
        with database.read() as reader:
            reader.execute("SET statement_timeout TO '2s'")
            assert reader.execute("SELECT count(*) FROM changes").fetchall() == [(0,)]
    migrating.join()
    with database.read() as connection:
        assert migrations.applied(connection, database.schema) == len(migrations.scripts())
        assert connection.execute("SELECT mark FROM changes").fetchall() == []
