"""A move refuses what it could not do well, says what to do, and changes nothing."""

import argparse
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from service.corpus.base import Document
from service.corpus.postgres.store import PostgresStore
from service.corpus.sqlite.store import SqliteStore
from service.errors import Conflict, InstarError, InvalidRequest, NotFound, StorageFailed
from service.machine.folder_lock import DataFolderInUse
from service.machine.secret_file import make_secret
from service.process.commands import move as move_command
from service.settings import Settings
from service.settings.data_folder import DataFolder
from service.settings.groups import ReplicaSettings
from service.wiring.moving import folder, folder_target, schema, schema_target
from service.wiring.moving.move import move
from tests.contract.moving.conftest import Schema, quiet, to_folder, to_schema
from tests.contract.store.stores import accept
from tests.support.everything import LIMIT


def refused(error: type[InstarError], words: str) -> "pytest.RaisesExc[InstarError]":
    return pytest.raises(error, match=words)


def test_a_schema_that_was_used_is_refused(data: DataFolder, new_schema: Callable[[], Schema]) -> None:
    place = new_schema()
    with place.opened() as database:
        PostgresStore(database, LIMIT).documents.put("default", [Document("a", "text", {})], accept)
    with refused(Conflict, "was used: name a new one with --schema"):
        to_schema(data, place)
    with place.opened() as database:
        assert PostgresStore(database, LIMIT).documents.collections() == {"default": 1}


def test_a_schema_in_which_a_service_has_begun_is_refused(data: DataFolder, new_schema: Callable[[], Schema]) -> None:
    place = new_schema()
    place.change("INSERT INTO secrets VALUES ('learning.key', ''::bytea)")
    with refused(Conflict, "was used"):
        to_schema(data, place)


def test_a_folder_with_a_corpus_or_a_service_is_refused(data: DataFolder, new_schema: Callable[[], Schema]) -> None:
    place, other = new_schema(), DataFolder(data.path.with_name("other"))
    to_schema(data, place)
    with refused(Conflict, "exists: move to a folder that has no corpus"):
        to_folder(place, data)
    with closing(SqliteStore(other, LIMIT)), refused(DataFolderInUse, "another Instar"):
        to_folder(place, other)


def test_a_folder_with_a_corpus_keeps_its_words_and_one_without_any_loses_them(tmp_path: Path) -> None:
    folders = [DataFolder(tmp_path / name) for name in ("used", "left")]
    for place in folders:
        for derived in (place.words, place.graphs):
            derived.mkdir(parents=True)
    used, left = folders
    used.corpus.write_text("precious")
    with refused(Conflict, "exists"), folder_target.writing(used):
        pass
    # SQLite would delete it together with the writes in it.
    wal = left.corpus.with_name("corpus.db-wal")
    wal.write_text("precious")
    with refused(Conflict, "corpus.db-wal exists"), folder_target.writing(left):
        pass
    wal.unlink()
    with folder_target.writing(left):
        pass
    assert used.words.exists()
    assert used.graphs.exists()
    assert not left.words.exists()
    assert not left.graphs.exists()


def test_another_key_at_the_target_is_refused_and_stays(data: DataFolder, new_schema: Callable[[], Schema]) -> None:
    place = new_schema()
    place.secrets.path.mkdir()
    key = make_secret(place.secrets.pseudonyms_key)
    with refused(Conflict, "is another key"):
        to_schema(data, place)
    assert place.secrets.pseudonyms_key.read_text() == key.hex()
    assert not place.secrets.keys.exists()


def test_a_schema_without_its_keys_is_refused(data: DataFolder, new_schema: Callable[[], Schema]) -> None:
    place = new_schema()
    to_schema(data, place)
    place.secrets.console_key.unlink()
    with refused(Conflict, "has not the console.key of the replicas: name the folder"):
        to_folder(place, DataFolder(data.path.with_name("back")))


def test_a_source_without_a_corpus_is_refused_and_not_made(tmp_path: Path, new_schema: Callable[[], Schema]) -> None:
    place = new_schema()
    with refused(NotFound, "no corpus in"), folder.reading(DataFolder(tmp_path / "none")):
        pass
    with refused(NotFound, "name the schema of a service"), schema.reading(place.url, place.name, place.secrets):
        pass
    assert not (tmp_path / "none").exists()
    with psycopg.connect(place.url) as connection:
        named = connection.execute("SELECT count(*) FROM pg_namespace WHERE nspname = %s", (place.name,)).fetchall()
    assert named == [(0,)]


def test_a_folder_of_an_earlier_version_is_refused(data: DataFolder) -> None:
    with closing(sqlite3.connect(data.corpus)) as corpus, corpus:
        corpus.execute("DROP VIEW judged")
        corpus.execute("ALTER TABLE judgements DROP COLUMN weight")
    with refused(StorageFailed, "is of an earlier version: start this version"), folder.reading(data):
        pass


def test_nobody_starts_on_a_schema_while_it_is_filled(data: DataFolder, new_schema: Callable[[], Schema]) -> None:
    place = new_schema()
    with (
        folder.reading(data),
        schema_target.writing(place.url, place.name, place.secrets),
        place.connected() as connection,
    ):
        connection.execute("SET lock_timeout TO '50ms'")
        for statement in (b"SELECT * FROM secrets", b"SELECT * FROM counters"):
            with pytest.raises(psycopg.errors.LockNotAvailable):
                connection.execute(statement)


def test_one_side_is_postgresql(tmp_path: Path, data: DataFolder, new_schema: Callable[[], Schema]) -> None:
    url = new_schema().url
    for source, target in ((str(data.path), str(tmp_path / "copy")), (url, url)):
        with refused(InvalidRequest, "a folder to PostgreSQL or back"):
            move(source, target, Settings(), None, quiet)


def test_the_command_shows_what_was_compared(
    data: DataFolder, new_schema: Callable[[], Schema], capsys: pytest.CaptureFixture[str]
) -> None:
    place = new_schema()
    settings = Settings(replicas=ReplicaSettings(secrets_dir=place.secrets.path))

    def command(source: object, target: object) -> int:
        arguments = argparse.Namespace(source=str(source), target=str(target), schema=place.name)
        return move_command.run(arguments, settings)

    assert command(data.path, place.url) == 0
    shown = capsys.readouterr().out
    lines = [line for line in shown.splitlines() if line.startswith("ok ")]
    assert len(lines) == 19
    assert "last_seq was 500" in shown
    assert "a@0123456789ab, c@0123456789ab in INSTAR_CHECKPOINTS_DIR" in shown
    assert command(data.path, place.url) == 1
    assert "was used" in capsys.readouterr().err
    with folder_target.writing(DataFolder(data.path.with_name("free"))):
        pass
