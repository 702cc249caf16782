"""A move from a data folder to PostgreSQL and back loses nothing and changes nothing."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

from service.corpus.base import Document
from service.corpus.postgres.store import PostgresStore
from service.corpus.sqlite.store import SqliteStore
from service.index.postgres.tables import VectorTables
from service.index.vector_folder import VectorFolder
from service.learning.postgres.store import PostgresFeedbackStore
from service.learning.sqlite.store import SqliteFeedbackStore
from service.settings.data_folder import DataFolder
from service.wiring.moving import folder, schema_target
from service.wiring.moving.move import Moved, run
from service.wiring.moving.tables import TABLES
from tests.contract.moving.conftest import Schema, quiet, to_folder, to_schema
from tests.contract.store.stores import accept
from tests.support import everything
from tests.support.everything import LIMIT, tell_corpus, tell_users, tell_vectors


def told_by_folder(path: DataFolder) -> dict[str, Any]:
    with closing(SqliteStore(path, LIMIT)) as store, closing(SqliteFeedbackStore(path.learning)) as users:
        return {**tell_corpus(store), **tell_users(users), "vectors": tell_vectors(VectorFolder(path.vectors))}


def told_by_schema(place: Schema) -> dict[str, Any]:
    with place.opened() as of_corpus, place.opened() as of_users:
        store, users = PostgresStore(of_corpus, LIMIT), PostgresFeedbackStore(of_users)
        return {**tell_corpus(store), **tell_users(users), "vectors": tell_vectors(VectorTables(of_corpus))}


def keys_in(path: DataFolder) -> dict[str, str]:
    return {file.name: file.read_text() for file in (path.pseudonyms_key, path.console_key, path.keys)}


def counted(moved: Moved) -> dict[str, int]:
    return {each.kind: each.source.rows for each in moved.compared}


def test_everything_arrives_and_comes_back(data: DataFolder, new_schema: Callable[[], Schema]) -> None:
    before, place, back = told_by_folder(data), new_schema(), DataFolder(data.path.with_name("back"))
    there = to_schema(data, place)
    assert told_by_schema(place) == before
    again = to_folder(place, back)
    assert told_by_folder(back) == before
    assert keys_in(data) == keys_in(place.secrets) == keys_in(back)
    assert there.compared == again.compared
    # Each kind has rows, so that none is compared in vain.
    assert {kind for kind, rows in counted(there).items() if not rows} == set()
    assert counted(there).keys() >= {table.name for table in TABLES}
    assert there.last_seq == before["last_seq"] == 500
    assert there.checkpoints == ["a@0123456789ab", "c@0123456789ab"]
    assert not there.has_changed
    assert not again.has_changed


def test_numbers_that_were_given_are_not_given_again(data: DataFolder, new_schema: Callable[[], Schema]) -> None:
    place, back = new_schema(), DataFolder(data.path.with_name("back"))
    to_schema(data, place)
    to_folder(place, back)
    with place.opened() as database, closing(SqliteStore(back, LIMIT)) as of_folder:
        for store in (PostgresStore(database, LIMIT), of_folder):
            assert store.documents.put("default", [Document("new", "new", {})], accept).added == (501,)
            assert store.records.next_number() == 5
    with place.opened() as database, closing(SqliteFeedbackStore(back.learning)) as in_folder:
        for users in (PostgresFeedbackStore(database), in_folder):
            event = next(users.events())
            assert users.add([everything.event_like(event, "e-new", "asked anew")]) == 0
            assert [each.id for each in users.events()] == ["e1", "e2", "e3", "e-new"]


def test_a_judgement_waits_for_the_text_of_its_document_at_each_place(
    data: DataFolder, new_schema: Callable[[], Schema]
) -> None:
    place, back = new_schema(), DataFolder(data.path.with_name("back"))
    to_schema(data, place)
    to_folder(place, back)
    with place.opened() as database, closing(SqliteStore(back, LIMIT)) as of_folder:
        for store in (PostgresStore(database, LIMIT), of_folder):
            assert [one.stale for one in store.judgements.all() if one.document == "never"] == [False]
            for text in ("the text that it waited for", "another one"):
                store.documents.put("default", [Document("never", text, {})], accept)
            assert [one.stale for one in store.judgements.all() if one.document == "never"] == [True]


def test_the_copy_is_of_one_moment(data: DataFolder, new_schema: Callable[[], Schema]) -> None:
    place = new_schema()
    before = told_by_folder(data)
    with folder.reading(data) as origin, schema_target.writing(place.url, place.name, place.secrets) as target:
        with closing(SqliteStore(data, LIMIT)) as store, closing(SqliteFeedbackStore(data.learning)) as users:
            store.documents.put("default", [Document("late", "too late", {})], accept)
            store.documents.delete_collection("other\0 größe", accept)
            users.add([everything.event_like(next(users.events()), "e-late", "too late")])
        moved = run(origin, target, quiet)
    assert moved.has_changed
    assert told_by_schema(place) == before


def test_what_comes_to_a_schema_after_the_moment_is_noticed(data: DataFolder, new_schema: Callable[[], Schema]) -> None:
    place, back = new_schema(), DataFolder(data.path.with_name("back"))
    to_schema(data, place)
    before = told_by_schema(place)

    def write(_: str) -> None:
        with place.opened() as database:
            PostgresStore(database, LIMIT).documents.put("default", [Document("late", "too late", {})], accept)

    moved = to_folder(place, back, write)
    assert moved.has_changed
    assert told_by_folder(back) == before


def test_a_folder_without_searches_and_vectors_is_moved(tmp_path: Any, new_schema: Callable[[], Schema]) -> None:
    bare, place = DataFolder(tmp_path / "bare"), new_schema()
    with closing(SqliteStore(bare, LIMIT)) as store:
        store.documents.put("default", [Document("a", "text", {})], accept)
    to_schema(bare, place)
    with place.opened() as database:
        assert PostgresStore(database, LIMIT).documents.collections() == {"default": 1}
