"""Promise 2: what was answered is there after every stop and every reload, and what was deleted is not."""

import itertools
import threading
import time

import httpx
import pytest

from tests.promises.swap import Swapped
from tests.support.server import Server
from tests.support.stores import on_both_stores
from tests.support.waiting import until

# More than the writers write on a fast machine.
MANY = 100_000
# By then documents were deleted, too.
ENOUGH = 30


@pytest.fixture
def stopped_server(stopped_server: Server) -> Server:
    stopped_server.settings["LIMITS__K"] = MANY
    return stopped_server


class Writer(threading.Thread):
    """Writes and deletes one document after the other until it is stopped or refused; notes what was answered."""

    def __init__(self, server: Server, number: int) -> None:
        super().__init__()
        self._client = httpx.Client(base_url=server.client.base_url, timeout=30)
        self._number = number
        self.stopped = threading.Event()
        self.written: set[str] = set()
        self.deleted: set[str] = set()
        self.refused: list[str] = []

    def run(self) -> None:
        with self._client:
            for turn in itertools.count():
                if self.stopped.is_set():
                    return
                identity = f"w{self._number}-{turn}"
                try:
                    # One in ten is longer than the model reads, none of which is deleted.
                    text = f"document {identity}" + " of the long list." * (30 if turn % 10 == 0 else 0)
                    body = {"documents": [{"id": identity, "text": text, "metadata": {"turn": turn}}]}
                    response = self._client.post("/documents", json=body)
                    if not response.is_success:
                        self.refused.append(f"{response.status_code} {response.text}")
                        return
                    self.written.add(identity)
                    if turn % 5 == 4:
                        gone = f"w{self._number}-{turn - 2}"
                        # A delete that is not answered may have happened or not.
                        self.written.discard(gone)
                        if self._client.delete(f"/documents/{gone}").is_success:
                            self.deleted.add(gone)
                except httpx.TransportError:
                    return


def run_writers(server: Server, seconds: float) -> list[Writer]:
    writers = [Writer(server, number) for number in range(6)]
    for writer in writers:
        writer.start()
    # On a machine that is busy otherwise they have not written much by then.
    until(lambda: sum(len(writer.written) for writer in writers) > ENOUGH and any(writer.deleted for writer in writers))
    time.sleep(seconds)
    return writers


def check_everything_is_there(server: Server, writers: list[Writer]) -> None:
    listed: set[str] = set()
    cursor: str | None = None
    while True:
        page = server.get("/documents", params={"limit": 100} | ({"cursor": cursor} if cursor else {}))
        listed |= {document["id"] for document in page["documents"]}
        cursor = page["next"]
        if cursor is None:
            break
    written = set[str]().union(*(writer.written for writer in writers))
    deleted = set[str]().union(*(writer.deleted for writer in writers))
    assert len(written) > ENOUGH
    assert deleted
    assert written <= listed
    assert not deleted & listed
    found = [result["id"] for result in server.search("document", k=MANY)]
    assert sorted(found) == sorted(listed)
    assert server.get("/info")["windows"] > len(listed)


@on_both_stores
def test_sigterm_answers_what_is_in_flight_and_ends_in_time(stopped_server: Server) -> None:
    stopped_server.start()
    writers = run_writers(stopped_server, 2)
    began = time.monotonic()
    assert stopped_server.stop() == 0
    assert time.monotonic() - began < 10
    for writer in writers:
        writer.join()
        assert writer.refused == []
    with stopped_server:
        check_everything_is_there(stopped_server, writers)


@on_both_stores
@pytest.mark.parametrize("seconds", [1.0, 2.3])
def test_sigkill_loses_nothing_that_was_answered(stopped_server: Server, seconds: float) -> None:
    stopped_server.start()
    writers = run_writers(stopped_server, seconds)
    stopped_server.kill()
    for writer in writers:
        writer.join()
    with stopped_server:
        check_everything_is_there(stopped_server, writers)


def test_lost_vectors_are_embedded_again_before_it_is_ready(stopped_server: Server) -> None:
    stopped_server.start()
    stopped_server.put_documents({f"d{n}": f"document {n}" for n in range(100)})
    stopped_server.stop()
    for path in (stopped_server.data / "vectors").iterdir():
        path.write_bytes(b"not a database" * 1000)
    with stopped_server:
        assert len(stopped_server.search("document", k=100)) == 100
        stopped_server.wait_for("embedding 100 documents")


# Batches differ between the service and the offline computation, and with them the last bits.
TOLERANCE = 1e-4


def test_what_was_written_and_deleted_meanwhile_is_right_afterwards(swapped: Swapped) -> None:
    written = {identity: text for client in swapped.clients for identity, text in client.written.items()}
    deleted = {identity for client in swapped.clients for identity in client.deleted}
    assert written
    assert deleted
    for identity, text in written.items():
        assert swapped.server.get(f"/documents/{identity}")["text"] == text
        by_words = swapped.server.search(text, k=20, mode="keyword", **{"return": "passages"})
        passage = next(hit["text"] for hit in by_words if hit["id"] == identity)
        best = swapped.server.search(passage, k=1, **{"return": "passages"})[0]
        # Another client may have noted the same text.
        assert best["text"] == passage
        assert best["score"] > 1 - TOLERANCE
    for identity in deleted:
        assert swapped.server.client.get(f"/documents/{identity}").status_code == 404
    found = {result["id"] for text in list(written.values())[:20] for result in swapped.server.search(text, k=200)}
    assert not found & deleted
    assert found & written.keys()
