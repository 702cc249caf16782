"""The thumbs of DocsGPT's users reach Instar: `deploy/docsgpt/feedback.py`, on a PostgreSQL and a service."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import pytest

from service.learning.base import Event
from service.learning.derive import derive
from service.learning.sqlite.store import SqliteFeedbackStore
from tests.support import docsgpt, postgres
from tests.support.server import Server
from tests.unit.trainer.data.test_docsgpt import CORPUS, DATA, ROWS
from trainer.data import docsgpt as offline
from trainer.data import formats
from trainer.data.problems import Unusable

psycopg = pytest.importorskip("psycopg")

ADMIN_KEY = "admin-key"
# As DocsGPT's migrations make it, without what is not read here.
TABLE = """
CREATE TABLE conversation_messages (
    id UUID PRIMARY KEY, conversation_id UUID NOT NULL, user_id TEXT NOT NULL, sources JSONB NOT NULL DEFAULT '[]',
    feedback JSONB, updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.updated_at = now(); RETURN NEW; END; $$;
CREATE TRIGGER conversation_messages_set_updated_at BEFORE UPDATE ON conversation_messages
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION set_updated_at();
"""
TEXTS = {"a": "Hold both buttons to reset.", "b": "The till closes at nine.", "c": "Count the stock on Friday."}


class DocsGPT:
    """The table of messages, the store that finds their sources, and the script that sends their thumbs."""

    def __init__(self, server: Server, url: str, folder: Path) -> None:
        self.server = server
        self.url = url
        self.script: ModuleType = docsgpt.load_feedback()
        self.state = folder / "state.db"
        self._module = docsgpt.load_store(INSTAR_URL=str(server.client.base_url), INSTAR_KEY=ADMIN_KEY)
        self._connection = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)

    def sources(self, source: str, query: str, k: int = 20) -> list[dict[str, Any]]:
        """The sources as DocsGPT stores them, for a search of one of its sources."""
        found = self._module.InstarStore(source).search(query, k=k)
        return [{"title": "t", "text": str(hit)[:1000], "instar": hit.metadata["instar"]} for hit in found]

    def message(self, sources: object, feedback: object = None, user: str = "ann") -> str:
        """Store an answer, and return its id."""
        identity, conversation = str(uuid.uuid4()), str(uuid.uuid4())
        values = [None if value is None else orjson.dumps(value).decode() for value in (sources, feedback)]
        self._connection.execute(
            "INSERT INTO conversation_messages (id, conversation_id, user_id, sources, feedback)"
            " VALUES (%s, %s, %s, %s, %s)",
            [identity, conversation, user, *values],
        )
        return identity

    def rate(self, message: str, thumb: str | None) -> None:
        """Set the thumb as DocsGPT does, or remove it."""
        feedback = None if thumb is None else orjson.dumps({"text": thumb, "timestamp": time.time_ns()}).decode()
        self._connection.execute(
            "UPDATE conversation_messages SET feedback = CAST(%s AS jsonb) WHERE id = %s", [feedback, message]
        )

    def forward(self, key: str = ADMIN_KEY, url: str = "") -> int:
        """Look once, and return how many messages were sent."""
        with closing(self.script.Sent(str(self.state))) as sent:
            instar = self.script.Instar(url or str(self.server.client.base_url), key)
            count: int = self.script.forward(self.url, instar, sent)
            return count

    def sent(self) -> list[Event]:
        """All events that Instar has stored."""
        with closing(SqliteFeedbackStore(self.server.data / "learning.db")) as store:
            return list(store.events())

    def judged(self) -> dict[str, float]:
        """The weight of each document that is judged good."""
        return {one.document: one.weight for one in derive(self.sent(), []) if one.good}

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgres.running() as server:
        yield server.url("postgresql+psycopg")


@pytest.fixture
def made(database: str, tmp_path: Path, tiny_checkpoints: Path) -> Iterator[DocsGPT]:
    """A DocsGPT without messages, and an Instar with a source of three documents."""
    server = Server(tmp_path, MODEL="one", API_KEY=ADMIN_KEY, ADMIN_KEY=ADMIN_KEY)
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with psycopg.connect(database.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
        connection.execute(TABLE)
    with server:
        server.client.headers["Authorization"] = f"Bearer {ADMIN_KEY}"
        server.put_documents(TEXTS, collection="docsgpt-s")
        with closing(DocsGPT(server, database, tmp_path)) as application:
            yield application


def actions(events: Sequence[Event]) -> list[str]:
    return [event.action for event in events]


@pytest.mark.parametrize(
    "feedback", [*(row["feedback"] for row in ROWS), "LIKE", {"text": None}, {"text": " Dislike "}, {}, 1, "meh", [1]]
)
def test_a_thumb_is_what_the_trainer_takes_it_for(feedback: Any) -> None:
    script = docsgpt.load_feedback()
    try:
        expected = offline._thumb(feedback)
    except Unusable as refused:
        with pytest.raises(ValueError, match=str(refused).rpartition("which")[2]):
            script.thumb_of(feedback)
    else:
        assert script.thumb_of(feedback) == expected


def test_the_same_answers_are_judged_as_the_trainer_judges_them(made: DocsGPT) -> None:
    corpus = {row["_id"]: row["text"] for row in map(orjson.loads, CORPUS.read_bytes().splitlines())}
    made.server.put_documents(corpus, collection="docsgpt-book")
    for row in ROWS:
        stored = row["sources"] if isinstance(row["sources"], list) else orjson.loads(row["sources"])
        found = {source["text"]: source["instar"] for source in made.sources("book", row["prompt"])}
        noted = [source | ({"instar": found[source["text"]]} if source["text"] in found else {}) for source in stored]
        made.message(noted, row["feedback"])
    made.forward()
    imported = formats.load(DATA / "docsgpt.jsonl", "docsgpt", skip_bad=False, corpus=CORPUS)
    queries = imported.dataset.queries
    expected = {(queries[one.query], one.document) for one in imported.dataset.judgements}
    live = {(one.query, one.document) for one in derive(made.sent(), [])}
    # By their beginnings the trainer cannot tell the twins apart, and leaves them out.
    twins = {pair for pair in live if pair[1].startswith("twin")}
    assert len(twins) == 1
    assert live - twins == expected
    disliked = [event.query for event in made.sent() if event.action == "bad"]
    assert disliked == [aside.query for aside in imported.review]


def test_a_thumb_counts_once_however_often_it_is_sent_and_the_last_one_counts(made: DocsGPT) -> None:
    message = made.message(made.sources("s", "reset it", k=2))
    assert made.forward() == 0
    made.rate(message, "like")
    assert made.forward() == 1
    assert actions(made.sent()) == ["cite", "good"]
    cite, good = made.sent()
    assert len(cite.documents) == 2
    assert (good.documents, good.query, good.collection, good.search) == ((), "reset it", "docsgpt-s", cite.search)
    liked = made.judged()
    assert liked.keys() == set(cite.documents)
    assert made.forward() == 0
    made.state.unlink()
    assert made.forward() == 1
    assert made.sent() == [cite, good]
    for thumb, action in [("dislike", "bad"), ("like", "good"), (None, "withdraw"), ("dislike", "bad")]:
        made.rate(message, thumb)
        assert made.forward() == 1
        assert actions(made.sent()[-1:]) == [action]
        assert (made.judged() == liked) == (thumb == "like")
    assert actions(made.sent()).count("cite") == 1
    assert made.forward() == 0


def test_each_search_of_an_answer_gets_the_thumb(made: DocsGPT) -> None:
    made.server.put_documents({"x": "Another source."}, collection="docsgpt-t")
    sources = made.sources("s", "reset it", k=1) + made.sources("t", "reset it") + made.sources("s", "the till", k=1)
    web = {"title": "a page", "text": "of another tool", "source": "https://example.com"}
    made.message([*sources, web], {"text": "like"})
    made.message([web], {"text": "like"})
    made.message([], {"text": "dislike"})
    assert made.forward() == 1
    events = made.sent()
    assert actions(events) == ["cite", "good"] * 3
    assert {event.collection for event in events} == {"docsgpt-s", "docsgpt-t"}
    assert len({event.search for event in events}) == 3


def test_what_instar_no_longer_has_is_said_by_its_query_or_left_out(made: DocsGPT) -> None:
    made.server.put_documents({"x": "Another source."}, collection="docsgpt-t")
    sources = made.sources("s", "reset it") + made.sources("t", "reset it")
    for source in sources:
        # An id of a search that the log has dropped.
        source["instar"]["search"] = str(uuid.UUID(int=0x0199_0000_0000_7000_8000 << 48))
    made.server.client.delete("/documents/x", params={"collection": "docsgpt-t"})
    made.server.client.delete("/documents/b", params={"collection": "docsgpt-s"})
    made.message(sources, {"text": "like"})
    assert made.forward() == 1
    events = made.sent()
    assert sorted(actions(events)) == ["cite", "cite", "good"]
    assert {event.search for event in events} == {None}
    assert made.judged().keys() == {"a", "c"}
    assert min(made.judged().values()) > 0.2


def test_users_are_told_apart_and_can_be_forgotten(made: DocsGPT) -> None:
    for user in ("ann", "ben", "local"):
        made.message(made.sources("s", "reset it", k=1), {"text": "dislike"}, user=user)
    made.forward()
    users = [event.user for event in made.sent()]
    assert len(set(users)) == 3
    # Without logins all users have this name, so their conversations tell them apart.
    assert users[2] is None
    assert len({event.session for event in made.sent()}) == 3
    assert made.server.client.delete("/admin/users/ann").is_success
    assert [event.user for event in made.sent()] == users[1:]
    assert made.forward() == 0


def test_what_cannot_be_sent_now_is_sent_later(made: DocsGPT) -> None:
    message = made.message(made.sources("s", "reset it"), {"text": "like"})
    with pytest.raises(made.script.Unavailable, match="Instar cannot be reached"):
        made.forward(url="http://127.0.0.1:1")
    with pytest.raises(made.script.Unavailable, match="Instar answered 404"):
        made.forward(url=f"{made.server.client.base_url}/elsewhere")
    with pytest.raises(PermissionError, match="Instar answered 401"):
        made.forward(key="another")
    assert made.forward() == 1
    made.rate(message, "perhaps")
    assert made.forward() == 0
    assert actions(made.sent()) == ["cite", "good"]


def test_it_runs_as_a_command(made: DocsGPT) -> None:
    made.message(made.sources("s", "reset it"), {"text": "like"})
    own = {"POSTGRES_URI": made.url, "INSTAR_URL": str(made.server.client.base_url), "INSTAR_FEEDBACK_KEY": ADMIN_KEY}
    command = [sys.executable, str(docsgpt.FEEDBACK), "--once", "--state", str(made.state)]

    def run(**environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)

    assert "POSTGRES_URI and INSTAR_URL must be set" in run(POSTGRES_URI="", INSTAR_URL="").stderr
    assert "a key with the scope feedback" in run(**own | {"INSTAR_FEEDBACK_KEY": "no"}).stderr
    ended = run(**own)
    assert (ended.returncode, "sent the thumbs on 1 answers" in ended.stderr) == (0, True)
    assert actions(made.sent()) == ["cite", "good"]
