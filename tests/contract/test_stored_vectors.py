"""What all stored vectors promise (`service.index.stores`), in files and in tables: damage never alters a vector."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.errors import StorageFailed
from service.index.postgres.tables import VectorTables
from service.index.rows import Rows, stack, whole
from service.index.stores import VectorSource, VectorStores
from service.index.vector_folder import VectorFolder
from service.machine.arrays import Windows
from service.postgres.database import Database
from tests.support import postgres
from tests.support.schemas import schemas_of
from tests.unit.index.test_vector_store import DIMENSIONS, require, rows_of, unit

FINGERPRINT = "f" * 12


@pytest.fixture(scope="session")
def debian() -> Iterator[postgres.Postgres]:
    if postgres.DEBIAN is None:
        pytest.skip("Debian's PostgreSQL is not installed")
    with postgres.running(postgres.DEBIAN) as server:
        yield server


@pytest.fixture(params=["packaged", "Debian's"])
def tables(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[VectorTables, Database]]:
    """Stored vectors in an empty schema, and the database in which that is."""
    server = request.getfixturevalue("postgres_server" if request.param == "packaged" else "debian")
    with schemas_of(server) as schemas:
        yield VectorTables(schemas.of(tmp_path)), schemas.of(tmp_path)


@pytest.fixture(params=["files", "packaged", "Debian's"])
def make(request: pytest.FixtureRequest) -> Iterator[Callable[[Path], VectorStores]]:
    """Makes stored vectors that lie at a folder, or in the schema that stands for it."""
    if request.param == "files":
        yield VectorFolder
        return
    server = request.getfixturevalue("postgres_server" if request.param == "packaged" else "debian")
    with schemas_of(server) as schemas:
        yield lambda folder: VectorTables(schemas.of(folder))


def require_some(store: VectorSource, expected: Rows) -> None:
    """The windows that the store has are those that were stored."""
    for seq, windows in store.some(np.unique(expected.seqs).tolist()).items():
        require(Rows(np.full(len(windows), seq), windows.vectors, windows.spans), expected[expected.seqs == seq])


def test_a_store_knows_what_it_lacks(make: Callable[[Path], VectorStores], tmp_path: Path) -> None:
    stores = make(tmp_path)
    vectors = unit(1, 5)
    with closing(stores.open_store(FINGERPRINT, DIMENSIONS)) as store:
        assert store.missing(np.empty(0, np.int64)).tolist() == []
        store.put(whole(np.array([2, 4, 6, 8, 10]), vectors))
        assert store.missing(np.array([1, 2, 3, 4])).tolist() == [1, 3]
        assert store.missing(np.array([5, 10, 1])).tolist() == [5, 1]
        require(store.get(np.array([4, 8])), whole(np.array([4, 8]), vectors[[1, 3]]))
        assert store.get(np.array([4, 5])) is None
        store.drop([4])
        assert store.get(np.array([4])) is None
    with closing(stores.open_store(FINGERPRINT, DIMENSIONS)) as again:
        assert again.missing(np.array([2, 4, 6])).tolist() == [4]
    with closing(stores.open_store(FINGERPRINT, 2 * DIMENSIONS)) as other:
        assert other.missing(np.array([2, 6])).tolist() == [2, 6]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(puts=st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=12), max_size=4), data=st.data())
def test_what_was_stored_is_read_as_it_was(
    make: Callable[[Path], VectorStores],
    puts: list[list[int]],
    data: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    stores = make(tmp_path_factory.mktemp("stored"))
    documents: dict[int, Windows] = {}
    with closing(stores.open_store(FINGERPRINT, DIMENSIONS)) as store:
        for counts in puts:
            first = data.draw(st.integers(1, 20))
            rows = rows_of(counts, first)
            store.put(rows)
            seqs = range(first, first + len(counts))
            documents |= zip(seqs, rows.windows(np.array(seqs)), strict=True)
            store.drop(dropped := data.draw(st.lists(st.sampled_from(sorted(documents)), max_size=3)))
            documents = {seq: windows for seq, windows in documents.items() if seq not in dropped}
    with closing(stores.open_store(FINGERPRINT, DIMENSIONS)) as store:
        assert stores.stored(FINGERPRINT).tolist() == sorted(documents)
        assert stores.highest_stored() == max(documents, default=0)
        wanted = sorted(data.draw(st.sets(st.sampled_from(sorted(documents))))) if documents else []
        rows = stack(wanted, [documents[seq] for seq in wanted]) if wanted else rows_of([0])[:0]
        require(store.get(np.array(wanted, dtype=np.int64)), rows)
        partial = [seq for seq, windows in sorted(documents.items()) if windows.spans.any()]
        assert store.partial().tolist() == partial
        cut, spans = store.cuts(np.array(wanted, dtype=np.int64))
        is_cut = np.isin(rows.seqs, partial)
        np.testing.assert_array_equal(cut, rows.seqs[is_cut])
        np.testing.assert_array_equal(spans, rows.spans[is_cut])
        assert store.get(np.array([*wanted, 1000], dtype=np.int64)) is None


def test_many_documents_are_stored_listed_and_pruned(make: Callable[[Path], VectorStores], tmp_path: Path) -> None:
    every = np.arange(1, 12_002)
    expected = whole(every[:-1], unit(1, 12_000))
    with closing(make(tmp_path).open_store(FINGERPRINT, DIMENSIONS)) as store:
        store.put(expected)
        assert store.missing(every).tolist() == [12_001]
        require(store.get(every[:-1]), expected)
        far_apart = every[:-1:7]
        require(store.get(far_apart), expected[far_apart - 1])
        store.prune(every[::2], 2000)
        assert store.missing(every).tolist() == [*range(2, 2001, 2), 12_001]


def test_the_windowing_of_any_collection_is_noted(make: Callable[[Path], VectorStores], tmp_path: Path) -> None:
    stores = make(tmp_path)
    with closing(stores.open_store(FINGERPRINT, DIMENSIONS)) as store:
        for windowing in ("100 80", "first"):
            store.note_windowing("a\0b 'ä'", windowing)
        store.note_windowing("default", "100 80")
    with closing(stores.open_store(FINGERPRINT, DIMENSIONS)) as store:
        assert store.windowing() == {"a\0b 'ä'": "first", "default": "100 80"}
    with closing(stores.open_store("another one", DIMENSIONS)) as store:
        assert store.windowing() == {}


DAMAGE = [
    "UPDATE {} SET vectors = set_byte(vectors, 5, 255 - get_byte(vectors, 5)) WHERE seq = 2",
    "UPDATE {} SET vectors = substr(vectors, 1, 64) WHERE seq = 2",
    "UPDATE {} SET vectors = '' WHERE seq = 2",
    "UPDATE {} SET spans = decode(repeat('00', 24), 'hex') WHERE seq = 2",
    "UPDATE {} SET spans = substr(spans, 1, 16) WHERE seq = 2",
    "UPDATE {} SET spans = substr(spans, 1, 13) WHERE seq = 2",
    "UPDATE {} SET spans = '' WHERE seq = 2",
    "UPDATE {} SET spans = decode(repeat('00', 8), 'hex') WHERE seq = 1",
    "UPDATE {} SET checksum = checksum + 1 WHERE seq = 2",
    "UPDATE {} SET seq = 9 WHERE seq = 2",
    "DELETE FROM {} WHERE seq = 2",
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_rows_are_forgotten_and_no_others(tables: tuple[VectorTables, Database], damage: str) -> None:
    stores, database = tables
    expected, every = rows_of([0, 3, 0, 2]), np.arange(1, 5)
    with closing(stores.open_store(FINGERPRINT, DIMENSIONS)) as store:
        store.put(expected)
        with database.write() as connection:
            connection.execute(damage.format("vectors_1").encode())
        require_some(store, expected)
        assert store.get(every) is None
        assert store.missing(every).tolist() == ([1] if "seq = 1" in damage else [2])
        store.put(expected)
        require(store.get(every), expected)


def test_what_damage_has_cost_is_said_in_the_log(
    tables: tuple[VectorTables, Database], caplog: pytest.LogCaptureFixture
) -> None:
    stores, database = tables
    with closing(stores.open_store(FINGERPRINT, DIMENSIONS)) as store:
        store.put(rows_of([0, 0, 0]))
        with database.write() as connection:
            connection.execute(DAMAGE[0].format("vectors_1").encode())
        assert store.get(np.arange(1, 4)) is None
    assert f"1 vectors of {FINGERPRINT} are damaged" in caplog.text


def test_a_vector_that_one_replica_stored_is_read_by_the_others(tables: tuple[VectorTables, Database]) -> None:
    stores, _ = tables
    with (
        closing(stores.open_store(FINGERPRINT, DIMENSIONS)) as one,
        closing(stores.open_store(FINGERPRINT, DIMENSIONS)) as other,
    ):
        one.put(rows_of([0, 2]))
        assert other.missing(np.arange(1, 4)).tolist() == [3]
        require(other.get(np.array([1, 2])), rows_of([0, 2]))
        other.drop([1])
        assert one.missing(np.arange(1, 4)).tolist() == [1, 3]


def test_replicas_store_the_same_documents_at_once(tables: tuple[VectorTables, Database]) -> None:
    stores, _ = tables
    expected = rows_of([seq % 4 for seq in range(300)])
    opened = [stores.open_store(FINGERPRINT, DIMENSIONS) for _ in range(4)]
    failures: list[BaseException] = []

    def put(store: VectorSource) -> None:
        try:
            for start in range(0, 300, 20):
                store.put(expected[(expected.seqs > start) & (expected.seqs <= start + 20)])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=put, args=(store,)) for store in opened]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    require(opened[0].get(np.arange(1, 301)), expected)


def test_a_table_that_another_replica_has_dropped_is_made_again(tables: tuple[VectorTables, Database]) -> None:
    stores, _ = tables
    rows = rows_of([0, 2])
    one, other = (stores.open_store(FINGERPRINT, DIMENSIONS) for _ in range(2))
    one.put(rows)
    stores.forget(set(), 0)
    assert one.missing(np.array([1, 2])).tolist() == [1, 2]
    assert one.some([1, 2]) == {}
    assert one.get(np.array([1])) is None
    one.put(rows)
    stores.forget(set(), 0)
    for _ in range(2):
        one.note_windowing("default", "100 80")
    assert one.windowing() == {"default": "100 80"}
    one.put(rows)
    assert other.get(np.array([1, 2])) is None
    require(other.get(np.array([1, 2])), rows)
    assert stores.stored(FINGERPRINT).tolist() == [1, 2]


def test_those_that_were_written_last_are_spared(tables: tuple[VectorTables, Database]) -> None:
    stores, database = tables
    opened = {name: stores.open_store(name, DIMENSIONS) for name in ("a", "b", "c", "d")}
    with database.write() as connection:
        connection.execute("UPDATE vector_stores SET used = used - number * interval '1 hour'")
    opened["c"].put(rows_of([0]))
    opened["b"].put(rows_of([0]))
    assert stores.forget({"a"}, 2) == ["b", "c"]
    assert stores.fingerprints() == {"a", "b", "c"}


def test_a_server_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    with postgres.running() as server, schemas_of(server) as schemas:
        store = VectorTables(schemas.of(tmp_path)).open_store(FINGERPRINT, DIMENSIONS)
        store.put(rows_of([0]))
        server.stop()
        with pytest.raises(StorageFailed, match="PostgreSQL cannot be used"):
            store.get(np.array([1]))
        server.start()
        require(store.get(np.array([1])), rows_of([0]))


def test_a_table_with_a_damaged_page_is_begun_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    every, expected = np.arange(1, 401), rows_of([0] * 400)
    with postgres.running() as server, schemas_of(server) as schemas:
        store = VectorTables(schemas.of(tmp_path)).open_store(FINGERPRINT, DIMENSIONS)
        store.put(expected)
        with schemas.of(tmp_path).read() as connection:
            (path,) = connection.execute("SELECT pg_relation_filepath('vectors_1')").fetchone() or ("",)
        server.stop()
        file = server.folder / "data" / path
        content = bytearray(file.read_bytes())
        content[8192 + 4000] ^= 1
        file.write_bytes(content)
        server.start()
        assert store.get(every) is None
        assert "is replaced by an empty one" in caplog.text
        assert len(store.missing(every)) == 400
        store.put(expected)
        require(store.get(every), expected)


def test_nothing_else_that_fails_costs_vectors(tables: tuple[VectorTables, Database]) -> None:
    stores, database = tables
    store = stores.open_store(FINGERPRINT, DIMENSIONS)
    store.put(rows_of([0]))
    with database.write() as connection:
        connection.execute("ALTER TABLE vectors_1 RENAME COLUMN spans TO gaps")
    with pytest.raises(psycopg.errors.UndefinedColumn):
        store.get(np.array([1]))
    with database.write() as connection:
        connection.execute("ALTER TABLE vectors_1 RENAME COLUMN gaps TO spans")
    require(store.get(np.array([1])), rows_of([0]))
