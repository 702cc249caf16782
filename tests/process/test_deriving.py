"""Judgements are derived in a process of their own, and follow what users do."""

import os
import signal
import sys
from typing import Any

import psutil
import pytest

from tests.support.server import Server
from tests.support.stores import on_both_stores

TEXTS = {"a": "closing the day", "b": "counting the stock", "c": "a parcel for the attic"}


def judged(server: Server) -> list[tuple[str, bool]]:
    page: dict[str, Any] = server.get("/admin/judgements", params={"source": "feedback"})
    return [(judgement["document"], judgement["good"]) for judgement in page["judgements"]]


@on_both_stores
@pytest.mark.skipif(sys.platform != "linux", reason="children are forked")
def test_judgements_are_derived_in_a_process_of_their_own(tiny_server: Server) -> None:
    server = tiny_server
    server.put_documents(TEXTS)
    events = [
        {"query": f"question {n}", "action": action, "document": document, "user": user}
        for n in range(300)
        for user, action, document in (("ann", "good", "a"), ("bob", "bad", "a"), ("cleo", "good", "c"))
    ]
    server.post("/feedback", {"events": events})
    # A user who is forgotten is why judgements are derived at once.
    assert server.client.delete("/admin/users/bob").is_success
    assert sorted(judged(server)) == [("a", True)] * 300 + [("c", True)] * 300
    assert server.client.delete("/admin/users/ann").is_success
    assert judged(server) == [("c", True)] * 300
    servers = psutil.Process(server.process.pid).children()
    assert len(servers) == 3
    for process in servers:
        os.kill(process.pid, signal.SIGKILL)
    lost = server.client.delete("/admin/users/cleo")
    assert lost.status_code == 503
    assert "restart the service" in lost.json()["error"]["message"]
    # The events are gone, and the next start derives from what is left.
    server.stop()
    server.start()
    assert len(server.post("/search", {"query": "the day"})["results"]) == 3
