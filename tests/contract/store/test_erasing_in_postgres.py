"""Judgements and jobs that were removed leave no trace in PostgreSQL's tables once that is asked for."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from service.corpus.judgements import Judgement, JudgementFilter
from service.corpus.postgres.store import PostgresStore
from service.errors import StorageFailed
from service.postgres import erasing
from tests.contract.store.stores import POSTGRES, DroppedStore
from tests.support import schemas
from tests.support.postgres import Postgres

SECRET = "violets in the attic"


@pytest.fixture(params=POSTGRES)
def server(request: pytest.FixtureRequest) -> Postgres:
    return schemas.server(POSTGRES[request.param])


@pytest.fixture
def store(server: Postgres) -> Iterator[PostgresStore]:
    with closing(DroppedStore(server.programs)) as opened:
        yield opened


def readable(store: PostgresStore, server: Postgres) -> bool:
    """Whether the secret is in a file of the server, but for its log of writes, which keeps all for a while."""
    with store._database.read() as connection:
        connection.execute("CHECKPOINT")
    tables: Path = server.folder / "data" / "base"
    return any(SECRET.encode() in path.read_bytes() for path in tables.rglob("*") if path.is_file())


def write_secrets(store: PostgresStore) -> None:
    secret = [Judgement(query=f"{SECRET} {number}", document=SECRET, good=True, by=SECRET) for number in range(6)]
    store.judgements.add(secret)
    for state, words in (("running", SECRET), ("done", "nothing")):
        store.records.save_job("job", state, f'{{"created": "2026", "reason": "{words}"}}')
    with store._database.read() as connection:
        connection.execute("ANALYZE")
    store.judgements.remove(JudgementFilter())
    store.judgements.add([Judgement(query="q", document="d", good=True)])


def test_what_was_removed_is_in_no_table_once_it_is_erased(store: PostgresStore, server: Postgres) -> None:
    write_secrets(store)
    before = store.judgements.all()
    assert readable(store, server)
    store.erase_removed()
    assert not readable(store, server)
    assert store.judgements.all() == before
    assert len(store.records.latest_jobs(9)) == 1
    # The first text of its document belongs to a judgement afterwards as well.
    assert store.judgements.counts() == (1, 1)


def test_erasing_fails_while_a_transaction_may_still_read_what_was_removed(
    store: PostgresStore, server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "_PATIENCE", 0.0)
    monkeypatch.setattr(erasing, "_PAUSE", 0.0)
    with store._database.snapshot() as reader:
        reader.execute("SELECT count(*) FROM documents")
        write_secrets(store)
        with pytest.raises(StorageFailed, match="end that"):
            store.erase_removed()
        assert readable(store, server)
    store.erase_removed()
    assert not readable(store, server)
