"""DocsGPT's feedback is read from a PostgreSQL."""

import socket
from collections.abc import Iterator

import orjson
import pytest

from tests.support import postgres
from tests.unit.trainer.data.test_docsgpt import CORPUS, DATA, ROWS
from trainer.data import formats
from trainer.errors import BadData

# As DocsGPT's first migration makes it, without what is not read here.
TABLE = """
CREATE TABLE conversation_messages (
    id UUID PRIMARY KEY, conversation_id UUID NOT NULL, position INTEGER NOT NULL, prompt TEXT, response TEXT,
    sources JSONB NOT NULL DEFAULT '[]', feedback JSONB
)
"""


def test_a_database_that_does_not_answer_is_bad_data_and_its_password_stays_unsaid() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"postgresql://docsgpt:secret@127.0.0.1:{closed.getsockname()[1]}/docsgpt"
        with pytest.raises(BadData, match="refused") as refused:
            formats.load(url, "docsgpt", skip_bad=False)
    assert "secret" not in str(refused.value)


@pytest.fixture
def database() -> Iterator[str]:
    """The URL of a PostgreSQL of its own."""
    with postgres.running() as server:
        yield server.url("postgresql+psycopg")


def test_the_rows_of_a_real_database_are_those_of_the_file(database: str) -> None:
    psycopg = pytest.importorskip("psycopg")
    with pytest.raises(BadData, match="conversation_messages") as refused:
        formats.load(database, "docsgpt", skip_bad=False)
    assert "DocsGPT's database" in str(refused.value)
    with psycopg.connect(database.replace("+psycopg", "")) as connection:
        connection.execute(TABLE)
        for row in ROWS:
            columns = [row["id"], row["conversation_id"], row["position"], row["prompt"], row["response"]]
            feedback = orjson.loads(row["feedback"]) if isinstance(row["feedback"], str) else row["feedback"]
            stored = [orjson.dumps(value).decode() for value in (row["sources"], feedback)]
            connection.execute(
                "INSERT INTO conversation_messages VALUES (%s, %s, %s, %s, %s, %s, %s)", columns + stored
            )
    found = formats.load(database, "docsgpt", skip_bad=False, corpus=CORPUS)
    expected = formats.load(DATA / "docsgpt.jsonl", "docsgpt", skip_bad=False, corpus=CORPUS)
    assert found.dataset == expected.dataset
    assert found.review == expected.review
    assert [problem.reason for problem in found.problems] == [problem.reason for problem in expected.problems]
    assert found.problems[0].location == f"conversation_messages:{ROWS[4]['id']}"
