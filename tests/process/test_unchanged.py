"""What has not changed costs nothing: no embedding and no version; a collection is brought up to date in one call."""

import json
import sqlite3
from typing import Any

import pytest

from tests.support.server import Server

ROWS: list[dict[str, Any]] = [
    {"id": f"r{n}", "text": f"document number {n}", "metadata": {"n": n, "at": None}} for n in range(40)
]


def tokens(server: Server) -> float:
    """Tokens that were embedded so far."""
    lines = server.client.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("instar_tokens_total"))


def write(server: Server, documents: list[dict[str, Any]], **options: Any) -> tuple[dict[str, Any], float]:
    """The answer to a write, and the tokens that it took."""
    before = tokens(server)
    answer = server.post("/documents", {"documents": documents}, **options)
    return answer, tokens(server) - before


def stream(server: Server, documents: list[dict[str, Any]], **parameters: Any) -> Any:
    lines = "\n".join(json.dumps(document) for document in documents)
    return server.client.post(
        "/documents", content=lines, headers={"Content-Type": "application/x-ndjson"}, params=parameters
    )


def test_the_same_documents_are_neither_embedded_nor_written(tiny_server: Server) -> None:
    answer, spent = write(tiny_server, ROWS)
    assert (answer["written"], answer["unchanged"]) == (40, 0)
    assert spent > 0
    pages = tiny_server.get("/documents", params={"limit": 100})
    answer, spent = write(tiny_server, [*reversed(ROWS)])
    assert (answer["written"], answer["unchanged"], spent) == (0, 40, 0)
    assert answer["ids"] == [row["id"] for row in reversed(ROWS)]
    assert tiny_server.get("/documents", params={"limit": 100}) == pages
    answer = stream(tiny_server, ROWS).json()
    assert (answer["written"], answer["unchanged"]) == (0, 40)


@pytest.mark.parametrize("metadata", [{"n": True}, {"n": 1.0}, {"n": "1"}, {}, {"n": 1, "more": None}])
def test_other_metadata_is_a_write_without_embedding(tiny_server: Server, metadata: dict[str, Any]) -> None:
    write(tiny_server, [{"id": "a", "text": "one text", "metadata": {"n": 1}}])
    answer, spent = write(tiny_server, [{"id": "a", "text": "one text", "metadata": metadata}])
    assert (answer["written"], answer["unchanged"], spent) == (1, 0, 0)
    (found,) = tiny_server.search("one text", k=1)
    assert found["metadata"] == metadata
    assert found["score"] > 0.999


def test_equal_texts_are_embedded_once(tiny_server: Server) -> None:
    _, once = write(tiny_server, [{"id": "a", "text": "a text that comes often"}])
    answer, spent = write(tiny_server, [{"id": f"b{n}", "text": "a text that comes often"} for n in range(30)])
    assert (answer["written"], spent) == (30, 0)
    _, spent = write(tiny_server, [{"id": f"c{n}", "text": "a text that comes newly"} for n in range(30)])
    assert spent == once
    scores = [hit["score"] for hit in tiny_server.search("a text that comes often", k=31)]
    assert len(scores) == 31
    assert min(scores) > 0.999


def test_a_document_that_was_deleted_a_moment_ago_is_not_embedded_when_it_comes_back(tiny_server: Server) -> None:
    rows = [
        {"id": f"back{n}", "text": f"a text that goes and comes back {n}", "metadata": {"of": "source"}} for n in (1, 2)
    ]
    _, spent = write(tiny_server, rows)
    assert spent > 0
    assert tiny_server.post("/documents/delete", {"filter": {"of": "source"}}) == {"deleted": 2}
    assert not [
        hit for hit in tiny_server.search("a text that goes and comes back 1", k=5) if hit["id"] in ("back1", "back2")
    ]
    answer, spent = write(tiny_server, rows)
    assert (answer["written"], spent) == (2, 0)
    (hit,) = tiny_server.search("a text that goes and comes back 2", k=1)
    assert hit["id"] == "back2"
    assert hit["score"] > 0.999


def test_a_retained_generation_keeps_the_vectors_of_what_changed_in_metadata_alone(tiny_server: Server) -> None:
    write(tiny_server, ROWS)
    assert tiny_server.reload("two")["state"] == "done"
    # For the active generation nothing is embedded, and for the retained one neither, when it comes back.
    _, spent = write(tiny_server, [{**row, "metadata": {"n": -1}} for row in ROWS])
    assert spent == 0
    before = tokens(tiny_server)
    tiny_server.post("/admin/rollback")
    assert tokens(tiny_server) == before
    found = tiny_server.search("document number 7", k=40)
    assert len(found) == 40
    assert {hit["metadata"]["n"] for hit in found} == {-1}


def test_a_reload_embeds_equal_texts_once(tiny_server: Server) -> None:
    write(tiny_server, [{"id": f"d{n}", "text": "always the same"} for n in range(100)])
    before = tokens(tiny_server)
    assert tiny_server.reload("two")["state"] == "done"
    # The probe of a reload has some hundred tokens of its own.
    assert tokens(tiny_server) - before < 100 * 5
    assert len(tiny_server.search("always the same", k=100)) == 100


def test_a_synchronised_collection_has_what_was_sent_and_nothing_else(tiny_server: Server) -> None:
    write(tiny_server, ROWS)
    tiny_server.post("/documents", {"documents": ROWS, "collection": "other"})
    kept: list[dict[str, Any]] = [
        *ROWS[:10],
        {"id": "new", "text": "a new document"},
        {**ROWS[10], "text": "another text"},
    ]
    answer = stream(tiny_server, kept, sync=True).json()
    assert (answer["written"], answer["unchanged"], answer["removed"]) == (2, 10, 29)
    listed = {document["id"] for document in tiny_server.get("/documents", params={"limit": 100})["documents"]}
    assert listed == {row["id"] for row in kept}
    answer = tiny_server.post("/documents?sync=true", {"documents": kept[:3], "collection": "other"})
    assert (answer["written"], answer["unchanged"], answer["removed"]) == (0, 3, 37)
    assert tiny_server.get("/info")["collections"] == {"default": 12, "other": 3}


def test_a_write_is_for_the_collection_that_the_query_or_the_body_names(tiny_server: Server) -> None:
    write(tiny_server, ROWS[:5])
    answer = tiny_server.post("/documents?collection=other&sync=true", {"documents": ROWS[:3]})
    assert (answer["written"], answer["removed"]) == (3, 0)
    tiny_server.post("/documents?collection=other", {"documents": ROWS[:4], "collection": "other"})
    assert counted(tiny_server) == {"default": 5, "other": 4}
    body = {"documents": ROWS[:1], "collection": "default"}
    refused = tiny_server.client.post("/documents?collection=other&sync=true", json=body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "collection")
    assert counted(tiny_server) == {"default": 5, "other": 4}


def test_a_collection_in_the_query_is_refused_where_the_body_alone_names_it(tiny_server: Server) -> None:
    write(tiny_server, ROWS[:5])
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/documents/matching", {"filter": {"n": 1}}),
        ("POST", "/search", {"query": "document number 1"}),
        ("PUT", "/admin/judgements", {"judgements": [{"query": "a", "document": "r1", "good": True}]}),
        ("POST", "/feedback", {"query": "a", "document": "r1", "action": "good"}),
        ("POST", "/documents/delete", {"filter": {"n": {"exists": True}}}),
    ]
    for method, path, body in calls:
        refused = tiny_server.client.request(method, path, params={"collection": "other"}, json=body)
        assert (refused.status_code, refused.json()["error"]["param"]) == (422, "collection"), path
        assert counted(tiny_server) == {"default": 5}
        assert tiny_server.client.request(method, path, json=body).status_code == 200, path


def test_a_stream_that_breaks_off_removes_nothing(tiny_server: Server) -> None:
    write(tiny_server, ROWS)
    broken = stream(tiny_server, [*ROWS[:3], {"id": "bad"}], sync=True)
    assert broken.status_code == 422
    assert stream(tiny_server, [], sync=True).status_code == 422
    assert tiny_server.get("/info")["documents"] == 40


def counted(server: Server) -> dict[str, int]:
    """The number of documents of each collection, as the service lists them."""
    return {each["name"]: each["documents"] for each in server.get("/collections")["collections"]}


def test_a_collection_says_when_a_document_was_last_added_replaced_or_deleted(tiny_server: Server) -> None:
    def written() -> str:
        (collection,) = tiny_server.get("/collections")["collections"]
        return str(collection["written"])

    moments = []
    for text in ("one text", "another text"):
        tiny_server.put_documents({"a": text, "b": "a text that stays"})
        moments.append(written())
    tiny_server.put_documents({"a": "another text"})
    assert written() == moments[-1]
    tiny_server.post("/documents/delete", {"ids": ["a"]})
    moments.append(written())
    assert sorted(set(moments)) == moments
    tiny_server.stop()
    tiny_server.start()
    assert written() == moments[-1]


def test_a_collection_is_counted_and_gone_for_good(tiny_server: Server) -> None:
    secret = "a text that nobody may find again"
    tiny_server.post("/documents", {"documents": [{"id": "s", "text": secret}], "collection": "notes"})
    write(tiny_server, ROWS)
    assert counted(tiny_server) == {"default": 40, "notes": 1}
    assert tiny_server.reload("two")["state"] == "done"
    response = tiny_server.client.delete("/collections/notes")
    assert response.json() == {"deleted": 1, "judgements": 0}
    assert counted(tiny_server) == {"default": 40}
    assert tiny_server.client.delete("/collections/notes").status_code == 404
    assert tiny_server.client.post("/search", json={"query": secret, "collection": "notes"}).status_code == 404
    with sqlite3.connect(tiny_server.data / "corpus.db") as corpus:
        assert corpus.execute("SELECT count(*) FROM documents WHERE collection = 'notes'").fetchone() == (0,)
        assert corpus.execute("SELECT count(*) FROM attributes WHERE collection = 'notes'").fetchone() == (0,)
    for store in (tiny_server.data / "vectors").glob("*.db"):
        with sqlite3.connect(store) as vectors:
            assert vectors.execute("SELECT count(*) FROM vectors").fetchone() == (40,)
    tiny_server.post("/admin/rollback")
    assert tiny_server.get("/info")["collections"] == {"default": 40}
