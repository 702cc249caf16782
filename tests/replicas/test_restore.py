"""A database returns to a moment by the steps of docs/scaling.md, and is dumped and restored by PostgreSQL's tools."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support import replicas
from tests.support.postgres import USER, Postgres, running
from tests.support.server import Server
from tests.support.waiting import until

DOCUMENTS = {f"d{number}": f"document {number} that is saved" for number in range(20)}


@pytest.fixture
def archived() -> Iterator[Postgres]:
    """A server that archives its write-ahead log, in the folder `archive` beside its data."""
    with running() as server:
        server.stop()
        archive = server.folder / "archive"
        archive.mkdir()
        give(server, archive)
        configure(server, archive_mode="on", archive_command=f"test ! -f {archive}/%f && cp %p {archive}/%f")
        server.start()
        yield server


def configure(server: Postgres, **settings: str) -> None:
    with (server.folder / "data" / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())


def give(server: Postgres, path: Path) -> None:
    """Let the server have what somebody else has made."""
    if os.geteuid() == 0:
        shutil.chown(path, server.user)


def run(server: Postgres, program: str, *arguments: str) -> None:
    user = server.user if os.geteuid() == 0 else None
    subprocess.run([str(server.programs / program), *arguments], check=True, cwd=server.folder, user=user, timeout=60)


def ask(server: Postgres, statement: str) -> Any:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        ((value,),) = connection.execute(statement.encode()).fetchall()
    return value


def archive_all(server: Postgres) -> None:
    segment = ask(server, "SELECT pg_walfile_name(pg_current_wal_lsn())")
    ask(server, "SELECT pg_switch_wal()")
    until((server.folder / "archive" / segment).exists)


def ids(server: Server) -> set[str]:
    return {result["id"] for result in server.search("document", k=100, mode="dense")}


def test_the_moment_before_a_mistake_comes_back(tmp_path: Path, tiny_checkpoints: Path, archived: Postgres) -> None:
    with replicas.replica(tmp_path, "replica", tiny_checkpoints, archived, MODEL="one") as replica:
        replica.put_documents(DOCUMENTS)
        run(archived, "pg_basebackup", f"--host={archived.folder}", f"--username={USER}", "-D", "base", "-c", "fast")
        # After the base backup, and before the mistake.
        replica.put_documents({"later": "a document that is written later"})
        moment = ask(archived, "SELECT clock_timestamp()::text")
        replica.post("/documents/delete", {"ids": [*DOCUMENTS, "later"]})
        assert ids(replica) == set()
        archive_all(archived)
    archived.stop()
    data = archived.folder / "data"
    data.rename(archived.folder / "left")
    (archived.folder / "base").rename(data)
    (data / "recovery.signal").touch()
    give(archived, data / "recovery.signal")
    configure(
        archived,
        restore_command=f"cp {archived.folder}/archive/%f %p",
        recovery_target_time=moment,
        recovery_target_action="promote",
    )
    archived.start()
    until(lambda: not ask(archived, "SELECT pg_is_in_recovery()"))
    shutil.rmtree(replica.data)
    with replica:
        assert ids(replica) == {*DOCUMENTS, "later"}
        replica.put_documents({"new": "a document that is written after all"})
        assert "new" in ids(replica)


def test_a_dump_of_a_service_that_is_written_to_is_restored_in_another_database(
    tmp_path: Path, tiny_checkpoints: Path, database: Postgres
) -> None:
    schema = "dumped"
    with replicas.replica(tmp_path, "one", tiny_checkpoints, database, MODEL="one", schema=schema) as replica:
        replica.put_documents(DOCUMENTS)
        run(database, "pg_dump", "--format=custom", f"--schema={schema}", "--file=instar.dump", database.url())
    with psycopg.connect(database.url(), autocommit=True) as connection:
        connection.execute("DROP SCHEMA dumped CASCADE")
    run(database, "pg_restore", f"--dbname={database.url()}", "instar.dump")
    with replicas.replica(tmp_path, "two", tiny_checkpoints, database, MODEL="one", schema=schema) as restored:
        assert ids(restored) == DOCUMENTS.keys()
