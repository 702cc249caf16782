"""A replica that was away until the log was trimmed shows what the others show, and is not ready before."""

import signal
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from service.corpus.postgres.change_log import PostgresChangeLog
from service.postgres.database import Database
from tests.support import replicas
from tests.support.metrics import samples
from tests.support.postgres import Postgres
from tests.support.server import Server
from tests.support.waiting import until

pytestmark = pytest.mark.nightly


def shown(server: Server) -> tuple[dict[tuple[str, str], list[tuple[str, str]]], object]:
    """All that searches find: ids and texts, by collection and mode; and how many documents the index has."""
    hits = {
        (collection, mode): sorted(
            (result["id"], result["text"]) for result in server.search("text", k=100, collection=collection, mode=mode)
        )
        for collection in server.get("/info")["collections"]
        for mode in ("dense", "keyword")
    }
    return hits, samples(server)["instar_documents"]


@pytest.mark.parametrize(
    ("kind", "switches"), [("faiss", False), ("pgvector", False), ("faiss", True)], ids=["faiss", "pgvector", "switch"]
)
def test_a_replica_that_was_away_until_the_log_was_trimmed_shows_what_the_others_show(
    kind: str, switches: bool, tmp_path: Path, tiny_checkpoints: Path, database: Postgres
) -> None:
    schema = f"s{uuid4().hex}"
    settings = {"MODEL": "one", "schema": schema, "INDEX__KIND": kind}
    with (
        replicas.running(tmp_path, 2, tiny_checkpoints, database, **settings) as (one, away),
        closing(Database(database.url(), schema)) as opened,
    ):
        for collection in ("default", "emptied"):
            one.put_documents(
                {f"d{number}": f"text {number} of {collection}" for number in range(20)}, collection=collection
            )
        until(lambda: shown(away) == shown(one))
        away.process.send_signal(signal.SIGSTOP)
        try:
            one.put_documents({f"d{number}": f"another text {number}" for number in range(5, 30)})
            one.post("/documents/delete", {"ids": ["d0", "d29"]})
            one.client.delete("/collections/emptied").raise_for_status()
            one.put_documents({"only": "text of a new collection"}, collection="new")
            if switches:
                assert one.reload("two")["state"] == "done"
            PostgresChangeLog(opened).trim(10**9)
        finally:
            away.process.send_signal(signal.SIGCONT)
        generation = one.get("/info")["generation"]
        until(lambda: away.client.get("/ready").status_code == 200 and away.get("/info")["generation"] == generation)
        assert shown(away) == shown(one)
        assert any("changes after" in line for line in away.output)
        # It goes on following, and writing.
        seen = one.client.post("/documents", json={"documents": [{"id": "later", "text": "a later text"}]})
        headers = {"X-Instar-Seen": seen.headers["X-Instar-Seen"]}
        hits = away.client.post("/search", json={"query": "later", "k": 100}, headers=headers).json()["results"]
        assert "later" in [result["id"] for result in hits]
        away.post("/documents/delete", {"ids": ["later"]})
        until(lambda: shown(one) == shown(away))
