"""Promise 2 where PostgreSQL itself is killed, or loses what is derived: the service goes on, and nothing is lost."""

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.promises.test_2_no_loss import MANY, check_everything_is_there, run_writers
from tests.support import postgres
from tests.support.postgres import Postgres
from tests.support.server import Server
from tests.support.stores import on_postgresql
from tests.support.waiting import until


@pytest.fixture
def mortal() -> Iterator[Postgres]:
    """A server of this test alone, because it is killed."""
    with postgres.running() as server:
        yield server


def test_a_server_that_is_killed_in_the_midst_of_writes_has_all_that_was_answered(
    tmp_path: Path, tiny_checkpoints: Path, mortal: Postgres
) -> None:
    server = Server(tmp_path, MODEL="one", STORE=mortal.url(), CHECKPOINTS_DIR=tiny_checkpoints, LIMITS__K=MANY)
    with server:
        writers = run_writers(server, 1.5)
        mortal.kill()
        mortal.start()
        until(lambda: server.client.get("/ready").is_success)
        # Those whose write was not refused go on.
        time.sleep(0.5)
        for writer in writers:
            writer.stopped.set()
            writer.join()
        assert {refusal[:3] for writer in writers for refusal in writer.refused} <= {"503"}
        until(lambda: server.client.post("/documents", json={"documents": [{"id": "z", "text": "late"}]}).is_success)
        check_everything_is_there(server, writers)
        mortal.kill()
        server.kill()
        mortal.start()
        server.start()
        check_everything_is_there(server, writers)


@on_postgresql
def test_lost_vectors_are_embedded_again_before_it_is_ready(stopped_server: Server) -> None:
    server = stopped_server
    server.start()
    server.put_documents({f"d{n}": f"document {n}" for n in range(100)})
    server.stop()
    vectors = sql.Identifier(str(server.settings["REPLICAS__DB_SCHEMA"]), "vectors_1")
    with psycopg.connect(str(server.settings["STORE"])) as connection:
        connection.execute(sql.SQL("DELETE FROM {}").format(vectors))
    with server:
        assert len(server.search("document", k=100)) == 100
        server.wait_for("embedding 100 documents")
