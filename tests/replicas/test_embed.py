"""`python -m service embed` on a Ray cluster that loses a node: what it stores is what a service computes."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import psycopg
import pytest
from psycopg import sql

from tests.support import replicas, waiting
from tests.support.postgres import Postgres
from tests.support.ray_cluster import ROOT, TwoNodes, two_nodes
from tests.support.server import Server

TOLERANCE = 1e-5
SETTINGS = {"WINDOWS__OVERLAP": 12, "WINDOWS__MOST": 20, "WINDOWS__COLLECTIONS": '{"heads": {"overlap": 0, "most": 1}}'}
# Longer than the tiny models read.
LONG = {f"long{n}": " ".join(f"Parcel {n} of shelf {m} weighs {m * 7} grams." for m in range(30)) for n in range(20)}
SHORT = {f"short{n}": f"document {n} says {n * 7 % 11}" for n in range(1000)}
EVERY = len(SHORT) + 2 * len(LONG)

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


def embed(service: Server, checkpoint: object, *more: str) -> subprocess.Popen[str]:
    """Start the command, with the settings of the service."""
    variables = {f"INSTAR_{name}": str(value) for name, value in service.settings.items() if name != "STORE"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("INSTAR_")}
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "service", "embed", "--store", str(service.settings["STORE"])),
            *("--checkpoint", str(checkpoint), *more),
        ],
        env=inherited | variables,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(command: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = command.communicate(timeout=180)
    return command.returncode, output


def lose_a_node_while_both_store(cluster: TwoNodes, vectors: Vectors) -> None:
    """Lose a node when actors of both have a portion that is embedded and not stored."""
    waiting.until(lambda: vectors.stores() == 2)
    with vectors.unwritable():
        waiting.until(lambda: vectors.waiting() == 2)
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
        command = embed(service, tiny_checkpoints / "two", "--address", cluster.address)
        lose_a_node_while_both_store(cluster, vectors)
        code, output = ended(command)
        assert (code, re.findall(r"all ([\d,]+) documents .* ([\d,]+) were embedded", output)) == (
            0,
            [(f"{EVERY:,}", f"{EVERY:,}")],
        ), output
        stored = vectors.read()
        assert len(stored) == EVERY

        vectors.forget(sorted(stored)[:5])
        code, output = ended(embed(service, "two", "--address", cluster.address))
        assert code == 0, output
        assert ": 5 were embedded" in output
        code, output = ended(embed(service, "nowhere", "--address", cluster.address))
        assert (code, "nothing is embedded" in output, "nowhere" in output) == (1, True, True), output

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
