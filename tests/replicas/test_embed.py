"""`instar embed` on a Ray cluster that loses a node: what it stores is what a service computes."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import numpy as np
import psycopg
import pytest
from psycopg import sql

from tests.support import replicas, waiting
from tests.support.postgres import Postgres
from tests.support.ray_cluster import ROOT, TwoNodes, two_nodes
from tests.support.server import Server

pytestmark = pytest.mark.nightly

TOLERANCE = 1e-5
SETTINGS = {"WINDOWS__OVERLAP": 12, "WINDOWS__MOST": 20, "WINDOWS__COLLECTIONS": '{"heads": {"overlap": 0, "most": 1}}'}
# Longer than the tiny models read.
LONG = {f"long{n}": " ".join(f"Parcel {n} of shelf {m} weighs {m * 7} grams." for m in range(30)) for n in range(20)}
SHORT = {f"short{n}": f"document {n} says {n * 7 % 11}" for n in range(1000)}
EVERY = len(SHORT) + 2 * len(LONG)
_COMMAND = (sys.executable, "-m", "service", "embed")

# Windows of documents, by sequence number: vectors, spans, and the transaction that wrote them.
Stored = dict[int, tuple[bytes, bytes, int]]


class Vectors:
    """The stored vectors of the newest fingerprint of a schema."""

    def __init__(self, postgres: Postgres, schema: str) -> None:
        self.connection = psycopg.connect(postgres.url(), autocommit=True, options=f"-c search_path={schema}")

    def stores(self) -> int:
        """How many fingerprints there are."""
        return int(self._execute("SELECT count(*) FROM vector_stores")[0][0])

    def read(self) -> Stored:
        rows = self._execute("SELECT seq, vectors, spans, xmin::text::bigint FROM {table}")
        return {seq: (vectors, spans, writer) for seq, vectors, spans, writer in rows}

    def forget(self, seqs: Sequence[int]) -> None:
        self._execute("DELETE FROM {table} WHERE seq = ANY(%s) RETURNING seq", list(seqs))

    @contextmanager
    def unwritable(self) -> Iterator[None]:
        """Within the block, whoever stores a vector waits."""
        with self.connection.transaction():
            self._execute("LOCK TABLE {table} IN EXCLUSIVE MODE")
            yield

    def waiting(self) -> int:
        """How many transactions wait to store a vector."""
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = {name}::regclass"
        return int(self._execute(waiting)[0][0])

    def _execute(self, statement: str, *values: object) -> list[Any]:
        (number,) = self.connection.execute("SELECT max(number) FROM vector_stores").fetchall()[0]
        table = f"vectors_{number}"
        composed = sql.SQL(statement).format(table=sql.Identifier(table), name=sql.Literal(table))
        cursor = self.connection.execute(composed, values)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def service(tmp_path: Path, tiny_checkpoints: Path, database: Postgres) -> Iterator[Server]:
    """A service with documents and the checkpoint `one`."""
    server = replicas.replica(
        tmp_path, "service", tiny_checkpoints, database, MODEL="one", schema=f"s{uuid4().hex}", **SETTINGS
    )
    with server:
        server.put_documents(SHORT)
        server.put_documents(LONG, collection="books")
        server.put_documents(LONG, collection="heads")
        yield server


@pytest.fixture
def vectors(service: Server, database: Postgres) -> Iterator[Vectors]:
    stored = Vectors(database, str(service.settings["REPLICAS__DB_SCHEMA"]))
    with stored.connection:
        yield stored


class Command:
    """The command, as a process with the settings of the service."""

    def __init__(self, service: Server, checkpoint: object, address: str) -> None:
        settings = {f"INSTAR_{name}": str(value) for name, value in service.settings.items() if name != "STORE"}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("INSTAR_")}
        store = ["--store", str(service.settings["STORE"])]
        self._log = service.folder / "embed.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [*_COMMAND, *store, "--checkpoint", str(checkpoint), "--address", address],
                env=inherited | settings,
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    def require_running(self) -> bool:
        """True; fails with what it said if it has ended."""
        assert self._process.poll() is None, self.output
        return True

    def end(self) -> int:
        """Wait for its end, and return its exit code."""
        return self._process.wait(180)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def lose_a_node_while_both_store(cluster: TwoNodes, vectors: Vectors, command: Command) -> None:
    """Lose a node when actors of both have a portion that is embedded and not stored."""
    waiting.until(lambda: command.require_running() and vectors.stores() == 2, 120)
    with vectors.unwritable():
        waiting.until(lambda: command.require_running() and vectors.waiting() == 2, 120)
        assert cluster.actors_of_the_other()
        cluster.lose_the_other()


def require_equal(stored: Stored, expected: Stored) -> None:
    assert stored.keys() == expected.keys()
    for seq, (vectors, spans, _) in expected.items():
        assert stored[seq][1] == spans
        np.testing.assert_allclose(
            np.frombuffer(stored[seq][0], np.float32), np.frombuffer(vectors, np.float32), atol=TOLERANCE
        )


def test_a_lost_node_costs_no_vector_and_a_reload_finds_them_all(
    service: Server, vectors: Vectors, tiny_checkpoints: Path
) -> None:
    with two_nodes() as cluster:
        with Command(service, tiny_checkpoints / "two", cluster.address) as command:
            lose_a_node_while_both_store(cluster, vectors, command)
            assert command.end() == 0, command.output
        assert re.search(rf"all {EVERY:,} documents .* {EVERY:,} were embedded", command.output), command.output
        stored = vectors.read()
        assert len(stored) == EVERY

        vectors.forget(sorted(stored)[:5])
        with Command(service, "two", cluster.address) as command:
            assert command.end() == 0, command.output
        assert ": 5 were embedded" in command.output

    stored = vectors.read()
    job = service.reload("two")
    assert (job["state"], job["total"], job["reused"]) == ("done", 0, EVERY)
    # They are the very same rows.
    assert vectors.read() == stored

    service.stop()
    vectors.forget([*stored])
    service.start()
    computed = vectors.read()
    assert {seq: writer for seq, (_, _, writer) in computed.items()} != {
        seq: writer for seq, (_, _, writer) in stored.items()
    }
    require_equal(stored, computed)
    assert {len(spans) for _, spans, _ in computed.values()} > {0, 8}
