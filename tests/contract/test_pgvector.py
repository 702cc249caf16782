"""The index that PostgreSQL searches: what its graphs find, and what replicas on the same tables see of each other."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import sql

from service.corpus import filters
from service.corpus.base import Change, Seqs
from service.errors import StorageFailed
from service.index.base import GivenUp
from service.index.pgvector import entries, partition, tuning
from service.index.pgvector import index as pgvector_index
from service.index.pgvector.factory import PgvectorIndexes
from service.index.pgvector.index import PgvectorIndex
from service.index.rows import Rows, stack, whole
from service.machine.arrays import Vectors, Windows
from service.postgres.database import Database
from tests.support import postgres
from tests.support.schemas import FolderSchemas, schemas_of

FINGERPRINT, DIMENSIONS, MIN_RECALL = "f" * 12, 64, 0.99


@pytest.fixture
def database(schemas: FolderSchemas, tmp_path: Path) -> Database:
    return schemas.of(tmp_path)


def clustered(seed: int, count: int) -> Vectors:
    pick = np.random.default_rng(seed)
    centers = np.random.default_rng(0).normal(size=(50, DIMENSIONS))
    vectors = centers[pick.integers(50, size=count)] + 0.5 * pick.normal(size=(count, DIMENSIONS))
    rows: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return rows


def opened(database: Database, graph_from: int = 1) -> PgvectorIndex:
    return PgvectorIndexes(database, graph_from=graph_from, min_recall=MIN_RECALL).open(FINGERPRINT, DIMENSIONS)


def built(database: Database, rows: Rows, graph_from: int = 1) -> PgvectorIndex:
    index = opened(database, graph_from)
    index.store.put(rows)
    index.build({"default": np.unique(rows.seqs)}, int(rows.seqs[-1]))()
    return index


def documents(vectors: Vectors) -> Rows:
    return whole(np.arange(1, len(vectors) + 1), vectors)


def count(database: Database, table: str, condition: str = "true") -> int:
    with database.read() as connection:
        statement = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(sql.Identifier(table), sql.SQL(condition))
        row = connection.execute(statement).fetchone()
        return int(row[0]) if row else 0


def recall_of(index: PgvectorIndex, vectors: Vectors, queries: Vectors, allowed: Any = None, live: Any = None) -> float:
    """The share of the ten nearest documents that the index finds, by their scores."""
    hits = []
    view = index.view("default")
    compared = vectors if live is None else vectors[live]
    for query, (seqs, scores) in zip(queries, view.search(queries, 10, allowed), strict=True):
        exact = np.sort(compared @ query)[::-1][:10]
        assert len(seqs) == len(exact)
        hits += [np.count_nonzero(scores >= exact[-1] - 1e-6) / len(exact)] if len(exact) else []
    return float(np.mean(hits)) if hits else 1.0


def test_a_graph_reaches_the_recall_that_was_asked_and_says_which(database: Database) -> None:
    vectors = clustered(3, 3000)
    index = built(database, documents(vectors))
    assert index.stats().recall["default"] >= MIN_RECALL
    queries = clustered(3, 400).reshape(4, 100, DIMENSIONS).sum(axis=0)
    # The graph is another one each time, and sums of four are further from all documents than what it was proven on.
    assert recall_of(index, vectors, queries / np.linalg.norm(queries, axis=1, keepdims=True)) >= MIN_RECALL - 0.03


def test_a_graph_is_tuned_by_questions_of_its_documents(database: Database) -> None:
    vectors, asked = clustered(3, 2000), []

    def questions(seqs: Seqs, _: object) -> Vectors:
        asked.append(seqs)
        return vectors[seqs - 1]

    index = opened(database)
    index.store.put(documents(vectors))
    index.build({"default": np.arange(1, 2001)}, 2000, lambda: False, questions)()
    assert [len(seqs) for seqs in asked] == [200]
    assert index.stats().recall["default"] >= MIN_RECALL


def test_a_small_collection_has_no_graph(database: Database) -> None:
    vectors = clustered(3, 500)
    index = built(database, documents(vectors), graph_from=1000)
    assert index.stats().recall == {}
    assert recall_of(index, vectors, clustered(4, 20)) == 1
    assert index.stats().fresh == 0


@pytest.mark.parametrize("share", [0.0, 0.0005, 0.01, 0.15, 0.3, 0.9])
def test_a_filtered_search_is_right_at_any_selectivity(database: Database, share: float) -> None:
    vectors = clustered(5, 3000)
    index = built(database, documents(vectors))
    passes = np.random.default_rng(6).random(3001) < share
    allowed = index.view("default").select(filters.parse({"n": 1}), lambda _, seqs: passes[seqs])
    assert recall_of(index, vectors, clustered(7, 50), allowed, passes[1:]) >= 0.98


def test_every_one_of_many_equal_documents_is_found(database: Database) -> None:
    # 3 passages that stand in the corpus 700 times each, between others.
    alone = clustered(9, 1003)
    order = np.random.default_rng(8).permutation(3100)
    vectors = np.concatenate((alone[:1000], np.repeat(alone[1000:], 700, axis=0)))[order]
    index = built(database, documents(vectors))
    assert count(database, "points_1") == 1003
    assert count(database, "windows_1") == 3100
    for number in range(3):
        equal = 1 + np.flatnonzero((order >= 1000 + 700 * number) & (order < 1700 + 700 * number))
        ((seqs, scores),) = index.view("default").search(alone[None, 1000 + number], 700, None)
        assert seqs.tolist() == equal.tolist()
        assert len(set(scores.tolist())) == 1
        ((seqs, _),) = index.view("default").search(alone[None, 1000 + number], 5, None)
        assert seqs.tolist() == equal[:5].tolist()


def test_what_is_not_sealed_yet_ties_with_what_is(database: Database) -> None:
    # Of many dimensions, so that the order of summation is seen in the last bit.
    vectors = np.repeat(clustered(1, 30), 2, axis=0)
    index = built(database, documents(vectors[:31]))
    index.prepare(Change("default", 31, tuple(range(32, 61)), ()), whole(np.arange(32, 61), vectors[31:]))()
    for query in clustered(2, 20):
        ((seqs, scores),) = index.view("default").search(query[None], 60, None)
        assert (np.diff(seqs)[::2] == 1).all()
        assert (scores[::2] == scores[1::2]).all()
        ranks, cosines = index.view("default").ranks(query, np.arange(1, 61), None)
        assert (seqs[ranks - 1] == np.arange(1, 61)).all()
        np.testing.assert_allclose(cosines, vectors @ query, atol=1e-5)


def test_another_replica_takes_what_the_first_one_has_built(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = clustered(3, 1500)
    first = built(database, documents(vectors))

    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(tuning, "tuned", never)
    second = opened(database)
    monkeypatch.setattr(second.store, "get", never)
    second.build({"default": np.arange(1, 1501)}, 1500)()
    assert second.stats() == first.stats()
    queries = clustered(4, 10)
    for ours, theirs in zip(
        second.view("default").search(queries, 10, None), first.view("default").search(queries, 10, None), strict=True
    ):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])


def test_replicas_that_bring_the_same_documents_bring_them_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition, "SEAL_FROM", 5)
    first = built(database, documents(clustered(3, 20)))
    second = opened(database)
    second.build({"default": np.arange(1, 21)}, 20)()
    added = stack(range(21, 31), [Windows(clustered(n, 2), np.array([[0, 9], [5, 14]], np.int32)) for n in range(10)])
    change = Change("default", 20, tuple(range(21, 31)), (3,))
    for index in (first, second):
        index.prepare(change, added)()
    views = [index.view("default") for index in (first, second)]
    before = [view.search(clustered(5, 5), 40, None) for view in views]
    for index in (first, second):
        for work in index.maintain():
            work(lambda: False)()
        assert index.stats().fresh == 0
    assert count(database, "points_1") == 40
    assert count(database, "windows_1", "died IS NULL") == 39
    after = [index.view("default").search(clustered(5, 5), 40, None) for index in (first, second)]
    for rankings in (*after, *(view.search(clustered(5, 5), 40, None) for view in views)):
        for (seqs, scores), (seqs_before, scores_before) in zip(rankings, before[0], strict=True):
            np.testing.assert_array_equal(seqs, seqs_before)
            np.testing.assert_array_equal(scores, scores_before)


def test_the_dead_stay_for_a_while_and_go_then(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition, "SEAL_FROM", 5)
    vectors = clustered(3, 20)
    # Two documents are equal, so the point of the one that dies is still the other's.
    vectors[19] = vectors[0]
    index = built(database, documents(vectors))

    def delete(*seqs: int) -> None:
        index.prepare(Change("default", 20, (), seqs), None)()
        for work in index.maintain():
            work(lambda: False)()

    view = index.view("default")
    ((seqs_before, _),) = view.search(vectors[:1], 20, None)
    delete(1, 2, 3, 4, 5, 6)
    assert count(database, "windows_1") == 20
    with database.write() as connection:
        connection.execute("UPDATE windows_1 SET died = died - interval '59 minutes'")
    delete(7, 8, 9, 10, 11, 12)
    assert (count(database, "points_1"), count(database, "windows_1")) == (19, 20)
    ((seqs, _),) = view.search(vectors[:1], 20, None)
    np.testing.assert_array_equal(seqs, seqs_before)
    with database.write() as connection:
        connection.execute("UPDATE windows_1 SET died = died - interval '2 minutes' WHERE seq <= 6")
    delete(13, 14, 15, 16, 17, 18)
    assert (count(database, "points_1"), count(database, "windows_1")) == (14, 14)
    ((seqs, _),) = index.view("default").search(vectors[:1], 20, None)
    assert sorted(seqs.tolist()) == [19, 20]
    with pytest.raises(StorageFailed, match="restart this process"):
        view.ranks(vectors[0], np.array([2]), None)


def test_ranks_are_told_when_the_dead_are_buried(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pgvector_index, "BURY_EVERY", 0.0)
    monkeypatch.setattr(entries, "_STAYS", "0 seconds")
    vectors = clustered(3, 30)
    index = built(database, documents(vectors))
    index.prepare(Change("default", 30, (), (4, 9)), None)()
    for _ in range(2):
        for work in index.maintain():
            work(lambda: False)()
    assert count(database, "points_1") == 28
    live = np.delete(np.arange(1, 31), [3, 8])
    ((seqs, scores),) = index.view("default").search(vectors[:1], 28, None)
    ranks, cosines = index.view("default").ranks(vectors[0], live, None)
    np.testing.assert_array_equal(seqs[ranks - 1], live)
    np.testing.assert_allclose(cosines, scores[ranks - 1], atol=1e-6)


def test_what_died_while_nobody_looked_is_buried_at_the_next_start(database: Database) -> None:
    built(database, documents(clustered(3, 20))).close()
    index = opened(database)
    index.build({"default": np.arange(5, 21)}, 20)()
    assert index.stats().documents == 16
    assert count(database, "windows_1", "died IS NOT NULL") == 4


def test_what_is_dead_leaves_the_tables_also_where_little_is_and_where_nothing_is_left(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgvector_index, "BURY_EVERY", 0.0)
    monkeypatch.setattr(entries, "_STAYS", "0 seconds")
    index = opened(database)
    index.store.put(documents(clustered(3, 30)))
    index.build({"emptied": np.arange(1, 11), "default": np.arange(11, 31)}, 30)()

    def maintain() -> None:
        for work in index.maintain():
            work(lambda: False)()

    def there() -> tuple[int, int]:
        return count(database, "points_1"), count(database, "windows_1")

    maintain()
    assert there() == (30, 30)
    index.prepare(Change("emptied", 30, (), tuple(range(1, 11))), None)()
    index.prepare(Change("default", 30, (), (11, 12)), None)()
    maintain()
    assert there() == (18, 18)
    assert index.stats().documents == 18
    # A collection that comes back has what is new alone.
    index.prepare(Change("emptied", 30, (31,), ()), whole(np.array([31]), clustered(4, 1)))()
    maintain()
    assert there() == (18, 18)
    assert index.live()["emptied"].tolist() == [31]


@pytest.fixture
def held(database: Database) -> Iterator[threading.Event]:
    """Another process changes the collection until the event is set."""
    let_go, holds = threading.Event(), threading.Event()

    def hold() -> None:
        with database.write() as connection:
            connection.execute("SELECT FROM pgvector_partitions FOR UPDATE")
            holds.set()
            let_go.wait(30)

    built(database, documents(clustered(3, 20))).close()
    thread = threading.Thread(target=hold)
    thread.start()
    assert holds.wait(10)
    yield let_go
    let_go.set()
    thread.join()


def test_sealing_is_put_off_while_another_replica_builds_a_graph(
    database: Database, held: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition, "SEAL_FROM", 5)
    index = opened(database)
    index.build({"default": np.arange(1, 21)}, 20)()
    index.prepare(Change("default", 20, tuple(range(21, 31)), ()), whole(np.arange(21, 31), clustered(4, 10)))()
    for work in index.maintain():
        work(lambda: False)()
    assert index.stats().fresh == 10
    held.set()
    while index.stats().fresh:
        for work in index.maintain():
            work(lambda: False)()
    assert index.stats().documents == 30


def test_a_build_waits_for_another_one_or_is_given_up(database: Database, held: threading.Event) -> None:
    index = opened(database)
    index.store.put(whole(np.arange(21, 31), clustered(4, 10)))
    live = {"default": np.arange(1, 31)}
    ends = time.monotonic() + 1
    with pytest.raises(GivenUp):
        index.build(live, 30, lambda: time.monotonic() > ends)
    threading.Timer(0.2, held.set).start()
    index.build(live, 30)()
    assert index.stats().documents == 30


def test_the_building_of_a_graph_is_given_up_in_the_middle(database: Database) -> None:
    vectors = clustered(3, 20_000)
    index = opened(database, graph_from=10**9)
    index.store.put(documents(vectors))
    live = {"default": np.arange(1, 20_001)}
    index.build(live, 20_000)()
    ends = time.monotonic() + 0.3
    with pytest.raises(GivenUp):
        opened(database).build(live, 20_000, lambda: time.monotonic() > ends)
    assert count(database, "pg_class", "relname = 'points_1_1_graph'") == 0


def test_tables_that_were_dropped_are_missed_in_plain_words(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = built(database, documents(clustered(3, 20)))
    PgvectorIndexes(database, graph_from=1, min_recall=MIN_RECALL).forget(set(), 0)
    assert count(database, "pgvector_indexes") == 0
    with pytest.raises(StorageFailed, match="restart this one"):
        index.view("default").search(clustered(4, 1), 10, None)
    monkeypatch.setattr(partition, "SEAL_FROM", 1)
    for seq, collection in ((21, "default"), (22, "new")):
        index.prepare(Change(collection, seq - 1, (seq,), ()), whole(np.array([seq]), clustered(4, 1)))()
        (work,) = index.maintain()
        with pytest.raises(StorageFailed, match="restart this one"):
            work(lambda: False)
        index.prepare(Change(collection, seq, (), tuple(range(1, seq + 1))), None)()


def test_an_index_with_other_dimensions_is_begun_anew(database: Database) -> None:
    built(database, documents(clustered(3, 20))).close()
    index = PgvectorIndexes(database, graph_from=1, min_recall=MIN_RECALL).open(FINGERPRINT, 8)
    assert index.dimensions == 8
    index.store.put(whole(np.array([1]), np.eye(8, dtype=np.float32)[:1]))
    index.build({"default": np.array([1])}, 1)()
    ((seqs, scores),) = index.view("default").search(np.eye(8, dtype=np.float32)[:1], 10, None)
    assert (seqs.tolist(), scores.tolist()) == ([1], [1])


def test_a_server_without_pgvector_says_what_to_do(tmp_path: Path) -> None:
    if postgres.DEBIAN is None:
        pytest.skip("Debian's PostgreSQL is not installed")
    with (
        postgres.running(postgres.DEBIAN) as server,
        schemas_of(server) as schemas,
        pytest.raises(StorageFailed, match="install pgvector"),
    ):
        opened(schemas.of(tmp_path))


def test_a_user_who_may_not_make_the_extension_hears_who_may() -> None:
    with postgres.running() as server:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("CREATE ROLE weak LOGIN")
            connection.execute("GRANT CREATE ON DATABASE postgres TO weak")
        database = Database(server.url().replace(postgres.USER, "weak", 1))
        with pytest.raises(StorageFailed, match="administrator"):
            opened(database)
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("CREATE SCHEMA extensions")
            connection.execute("CREATE EXTENSION vector SCHEMA extensions")
            connection.execute("GRANT USAGE ON SCHEMA extensions TO weak")
        vectors = clustered(3, 300)
        assert recall_of(built(database, documents(vectors)), vectors, clustered(4, 20)) == 1
        database.close()
