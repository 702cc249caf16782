"""Feedback that is sent while the process is killed: what was acknowledged is there once, and nothing else is."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.learning.base import FeedbackStore
from service.learning.ids import TimeOrderedIds
from service.learning.postgres.store import PostgresFeedbackStore
from service.learning.sqlite.store import SqliteFeedbackStore
from service.postgres.database import Database
from tests.support import stores
from tests.support.server import Server

DROPPED = TimeOrderedIds(lambda: 1_700_000_000 * 10**9).new()
LATER = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
# A body, the status of its answer, and words of it.
Wrong = tuple[str, int, str]
Send = Callable[[httpx.Client, int], None]


def wrong(status: int, words: str, **event: Any) -> Wrong:
    return json.dumps({"action": "good", **event}), status, words


# Each is sent by a client of its own.
SMALL: list[Wrong] = [
    wrong(404, "its id is `search` in the answer of POST /search", search="mine"),
    wrong(404, "send query, collection and document in place of search", search=DROPPED),
    wrong(404, "there is no document 'x' in the collection 'default'", query="q", document="x"),
    wrong(404, "there is no collection 'nowhere'", query="q", collection="nowhere"),
    wrong(422, "dwell is about a document", query="q", action="dwell", value=1),
    wrong(422, "there is no `docid`", query="q", docid="a"),
    wrong(422, "at is in the future", query="q", at=LATER),
    wrong(422, "U+0000", query="q\0"),
    ('{"action": "good", "query": "\\ud800"}', 422, "surrogate"),
]
LARGE: list[Wrong] = [
    wrong(422, "at most 1024", query="q", note="n" * 10_000_000),
    (json.dumps({"events": [{"query": "q", "action": "bad"}] * 1001}), 413, "INSTAR_LIMITS__EVENTS"),
]


@pytest.fixture(scope="module", params=stores.BY_DAY_AND_NIGHT)
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path
) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("killed"), MODEL="one", **stores.settings(request.param, request))
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server:
        server.put_documents({"a": "closing the day", "b": "counting the stock"})
        server.put_documents({"x": "elsewhere"}, collection="other")
        yield server


class Sender:
    """Sends batches of `size` events, each with an id of its own, and notes those that were acknowledged."""

    def __init__(self, name: str, search: str, size: int) -> None:
        self._name = name
        self._search = search
        self._size = size
        self.batches: list[set[str]] = []
        self.acknowledged: list[set[str]] = []

    def __call__(self, client: httpx.Client, turn: int) -> None:
        ids = [f"{self._name}-{turn}-{number}" for number in range(self._size)]
        self.batches.append(set(ids))
        events = [{"id": identity, "search": self._search, "action": "click", "document": "a"} for identity in ids]
        if client.post("/feedback", json={"events": events}).is_success:
            self.acknowledged.append(set(ids))


def refused(body: str, status: int, words: str, surprises: list[str]) -> Send:
    def send(client: httpx.Client, _: int) -> None:
        answer = client.post("/feedback", content=body, headers={"Content-Type": "application/json"})
        if answer.status_code != status or words not in answer.json()["error"]["message"]:
            surprises.append(f"{answer.status_code} {answer.text}")

    return send


def kill_during(server: Server, senders: Sequence[Send]) -> None:
    """Have each sender send until the process is killed, when each has been answered at least once; start it again."""
    answered = [threading.Event() for _ in senders]

    def run(send: Send, was_answered: threading.Event) -> None:
        with httpx.Client(base_url=server.client.base_url, timeout=60) as client:
            for turn in range(1_000_000):
                try:
                    send(client, turn)
                except httpx.TransportError:
                    return
                was_answered.set()

    threads = [threading.Thread(target=run, args=pair) for pair in zip(senders, answered, strict=True)]
    for thread in threads:
        thread.start()
    for was_answered in answered:
        assert was_answered.wait(60)
    server.kill()
    for thread in threads:
        thread.join()
    server.start()


def opened(server: Server) -> FeedbackStore:
    """What the service has stored of its users, as another process finds it."""
    if "STORE" not in server.settings:
        return SqliteFeedbackStore(server.data / "learning.db")
    url, schema = server.settings["STORE"], server.settings["REPLICAS__DB_SCHEMA"]
    return PostgresFeedbackStore(Database(str(url), str(schema)))


def stored(server: Server) -> Counter[str]:
    with closing(opened(server)) as store:
        return Counter(event.id for event in store.events())


@pytest.mark.parametrize(("name", "bad", "size"), [("small", SMALL, 3), ("large", LARGE, 1000)])
def test_bad_events_leave_nothing_and_good_ones_beside_them_are_there_once(
    service: Server, name: str, bad: list[Wrong], size: int
) -> None:
    before = stored(service)
    search = service.post("/search", {"query": "the day"})["search"]
    # Without a search in the log there would be no events to acknowledge.
    service.get(f"/admin/searches/{search}")
    surprises: list[str] = []
    good = [Sender(f"{name}-{client}", search, size) for client in range(2)]
    kill_during(service, [*good, *(refused(*case, surprises) for case in bad)])
    assert surprises == []
    now = stored(service)
    assert set(now.values()) == {1}
    fresh = now.keys() - before.keys()
    assert fresh <= {identity for sender in good for batch in sender.batches for identity in batch}
    for sender in good:
        assert sender.acknowledged
        assert all(batch <= fresh for batch in sender.acknowledged)
        # The one that nobody answered is there as a whole or not at all.
        assert all(batch <= fresh or not batch & fresh for batch in sender.batches)


def test_one_event_sent_a_thousand_times_by_16_clients_through_a_kill_counts_once(service: Server) -> None:
    search = service.post("/search", {"query": "the day", "user": "ann"})["search"]
    service.get(f"/admin/searches/{search}")
    event = {"id": "the-same", "search": search, "action": "click", "document": "b"}
    body = {"events": [event] * 5}
    accepted: list[int] = []
    times: list[int] = []

    def send(client: httpx.Client, _: int) -> None:
        times.append(5)
        accepted.append(client.post("/feedback", json=body).json()["accepted"])

    kill_during(service, [send] * 16)
    while sum(times) < 1000:
        send(service.client, 0)
    assert sum(accepted) <= 1
    assert stored(service)["the-same"] == 1
    with closing(opened(service)) as store:
        clicks = Counter[str]()
        for row in store.impressions():
            clicks[row.document] += row.clicked
    assert clicks["b"] == 1
