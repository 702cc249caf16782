"""A backup of the whole store."""

import os
import re
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from service.corpus.base import Document
from service.corpus.errors import backed_up_by_its_server
from service.corpus.judgements import Judgement
from service.corpus.postgres.store import PostgresStore
from service.errors import Conflict
from service.postgres.database import Database
from tests.contract.store.stores import MOST, POSTGRES, STORES, accept, put, record
from tests.support import schemas


@pytest.mark.parametrize("name", [name for name in STORES if name not in POSTGRES])
def test_a_backup_is_a_file_and_tells_its_generations(name: str, tmp_path: Path) -> None:
    with closing(STORES[name](tmp_path)) as store:
        put(store, a="text")
        store.records.activate(record("a"), retain=1)
        target = tmp_path / "copy"
        assert store.backup(target) == store.records.generations()
        assert target.stat().st_size > 0
        assert store.size() > 0


@pytest.mark.parametrize("name", POSTGRES)
def test_a_corpus_in_postgresql_comes_back_from_the_command_that_its_error_names(name: str, tmp_path: Path) -> None:
    server, programs = schemas.server(POSTGRES[name]), POSTGRES[name]
    with closing(PostgresStore(Database(server.url(), "To be saved"), MOST)) as store:
        store.documents.put("default", [Document("a", "the text\0", {"n": 1.5})], accept)
        store.judgements.add([Judgement(query="q", document="b", good=True)])
        store.records.activate(record("a"), retain=1)
        with pytest.raises(Conflict, match="pg_dump") as refusal:
            store.backup(tmp_path / "copy")
        command = re.search(r"pg_dump .*STORE\"", refusal.value.message)
        assert command is not None
        environment = {"PATH": f"{programs}:{os.environ['PATH']}", "INSTAR_STORE": server.url()}
        subprocess.run(["sh", "-c", command[0]], check=True, cwd=tmp_path, env=environment)
        assert store.size() > 0
        expected = store.documents.page("default", 0, 9), store.judgements.all(), store.records.generations()
    with Database(server.url()).read() as connection:
        connection.execute("CREATE DATABASE restored")
    url = server.url().replace("/postgres?", "/restored?")
    subprocess.run([programs / "pg_restore", f"--dbname={url}", tmp_path / "instar.dump"], check=True)
    with closing(PostgresStore(Database(url, "To be saved"), MOST)) as restored:
        there = restored.documents.page("default", 0, 9), restored.judgements.all(), restored.records.generations()
        assert there == expected
        assert put(restored, b="another text") == [2]


def test_the_command_of_a_plain_schema_is_plain() -> None:
    assert "--schema=instar " in backed_up_by_its_server("instar").message
