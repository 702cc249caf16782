"""`/documents`: what is written is found at once, what is deleted is found no more."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.server import Server


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("documents"), MODEL="one")
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server:
        yield server


@pytest.fixture
def fresh(running: Server) -> Server:
    """The running service, with its default collection empty."""
    while page := running.get("/documents", params={"limit": 1000})["documents"]:
        running.post("/documents/delete", {"ids": [document["id"] for document in page]})
    return running


def test_a_write_is_visible_to_the_next_search(fresh: Server) -> None:
    for n in range(50):
        fresh.put_documents({f"d{n}": f"subject number {n}"})
        assert fresh.search(f"subject number {n}", k=1)[0]["id"] == f"d{n}"


def test_an_upsert_replaces_text_and_metadata(fresh: Server) -> None:
    fresh.post("/documents", {"documents": [{"id": "a", "text": "the old words", "metadata": {"v": 1}}]})
    fresh.post("/documents", {"documents": [{"id": "a", "text": "entirely new ones", "metadata": {"w": 2}}]})
    results = fresh.search("the old words")
    assert [(hit["id"], hit["text"], hit["metadata"]) for hit in results] == [("a", "entirely new ones", {"w": 2})]
    assert fresh.search("anything", filter={"v": 1}) == []
    assert [hit["id"] for hit in fresh.search("anything", filter={"w": 2})] == ["a"]


def test_of_one_id_twice_in_a_request_the_last_stays(fresh: Server) -> None:
    body = {"documents": [{"id": "a", "text": "first"}, {"id": "b", "text": "other"}, {"id": "a", "text": "last"}]}
    assert fresh.post("/documents", body)["ids"] == ["a", "b", "a"]
    assert {hit["id"]: hit["text"] for hit in fresh.search("x")} == {"a": "last", "b": "other"}
    assert fresh.search("last", k=1)[0]["score"] > 0.999


def test_documents_without_an_id_get_one(fresh: Server) -> None:
    ids = fresh.post("/documents", {"documents": [{"text": "one"}, {"text": "two"}]})["ids"]
    assert len(set(ids)) == 2
    assert fresh.get(f"/documents/{ids[1]}") == {"id": ids[1], "text": "two", "metadata": {}}


def test_ids_may_be_paths_and_any_script(fresh: Server) -> None:
    for identity in ("docs/guide/a.md#3", "ключ", "a b?c=d&e", "..", "delete"):
        fresh.put_documents({identity: "text"})
        path = (
            f"/documents/{httpx.QueryParams({'': identity})}".replace("=", "", 1)
            .replace("+", "%20")
            .replace("..", "%2E%2E")
        )
        assert fresh.get(path)["id"] == identity
        assert fresh.client.delete(path).json() == {"deleted": 1}
        assert fresh.client.get(path).status_code == 404


def test_deletes_by_ids_and_by_filter(fresh: Server) -> None:
    documents = [{"id": f"d{n}", "text": f"text {n}", "metadata": {"n": n, "even": n % 2 == 0}} for n in range(20)]
    fresh.post("/documents", {"documents": documents})
    assert fresh.post("/documents/delete", {"ids": ["d0", "d1", "absent", "d0"]}) == {"deleted": 2}
    assert fresh.post("/documents/delete", {"filter": {"even": True, "n": {"lt": 10}}}) == {"deleted": 4}
    left = {f"d{n}" for n in range(2, 20) if n % 2 or n >= 10}
    assert {hit["id"] for hit in fresh.search("text", k=100)} == left
    assert fresh.post("/documents/delete", {"filter": {"not": {"n": -1}}}) == {"deleted": len(left)}
    assert fresh.search("text") == []


def test_collections_are_apart(fresh: Server) -> None:
    fresh.put_documents({"same": "in the default"})
    fresh.put_documents({"same": "in another"}, collection="other")
    assert [hit["text"] for hit in fresh.search("in another")] == ["in the default"]
    assert [hit["text"] for hit in fresh.search("in the default", collection="other")] == ["in another"]
    assert fresh.get("/documents/same", params={"collection": "other"})["text"] == "in another"
    assert fresh.get("/info")["collections"] == {"default": 1, "other": 1}
    assert fresh.client.delete("/documents/same", params={"collection": "other"}).is_success
    assert fresh.client.post("/search", json={"query": "a", "collection": "other"}).status_code == 404
    assert fresh.get("/documents/same")["text"] == "in the default"


def test_pages_list_every_document_once(fresh: Server) -> None:
    fresh.put_documents({f"d{n}": f"text {n}" for n in range(25)})
    listed: list[str] = []
    cursor = None
    for size in (10, 10, 5):
        page = fresh.get("/documents", params={"limit": 10} | ({"cursor": cursor} if cursor else {}))
        assert len(page["documents"]) == size
        listed += [document["id"] for document in page["documents"]]
        cursor = page["next"]
    assert cursor is None
    assert listed == [f"d{n}" for n in range(25)]


def test_min_score_leaves_out_what_is_further(fresh: Server) -> None:
    fresh.put_documents({"a": "exactly these words", "b": "nothing of the kind at all, but longer"})
    scores = {hit["id"]: hit["score"] for hit in fresh.search("exactly these words")}
    assert [hit["id"] for hit in fresh.search("exactly these words", min_score=scores["b"] + 1e-3)] == ["a"]
    assert fresh.search("exactly these words", min_score=1.1) == []


def test_a_write_is_all_or_nothing(fresh: Server) -> None:
    body = {"documents": [{"id": "a", "text": "fine"}, {"id": "b", "text": ""}]}
    assert fresh.client.post("/documents", json=body).status_code == 422
    assert fresh.get("/documents")["documents"] == []


def test_ndjson_is_written_and_its_ids_answered(fresh: Server) -> None:
    lines = [json.dumps({"id": f"n{n}", "text": f"streamed {n}", "metadata": {"n": n}}) for n in range(1000)]
    response = fresh.client.post(
        "/documents",
        params={"collection": "stream"},
        content="\r\n".join(lines),
        headers={"Content-Type": "application/x-ndjson; charset=utf-8"},
    )
    counts = {"written": 1000, "unchanged": 0, "windows": 1000}
    assert response.json() == {"ids": [f"n{n}" for n in range(1000)], **counts}
    assert response.headers["X-Instar-Generation"] == "1"
    assert len(fresh.search("streamed", k=1000, collection="stream")) == 1000
    fresh.post("/documents/delete", {"collection": "stream", "filter": {"n": {"gte": 0}}})


def test_a_long_stream_does_not_grow_the_process(fresh: Server) -> None:
    """Lines that repeat a few ids: what is kept stays small, so what grows is the stream's own."""

    def lines(count: int) -> Iterator[bytes]:
        for n in range(count):
            yield b'{"id": "r%d", "text": "again %d"}\n' % (n % 20, n % 7)

    def memory() -> float:
        text = fresh.client.get("/metrics").text
        return next(
            float(line.split()[1]) for line in text.splitlines() if line.startswith("process_resident_memory_bytes ")
        )

    headers = {"Content-Type": "application/x-ndjson"}
    fresh.client.post("/documents", content=lines(5_000), headers=headers, timeout=120)
    before = memory()
    response = fresh.client.post("/documents", content=lines(60_000), headers=headers, timeout=300)
    assert len(response.json()["ids"]) == 60_000
    assert memory() - before < 60 << 20
    assert len(fresh.search("again", k=100)) == 20


def test_searches_go_on_while_a_stream_is_written(fresh: Server) -> None:
    fresh.put_documents({"a": "present from the beginning"})
    body = "".join(json.dumps({"id": f"n{n}", "text": f"streamed words {n} " * 10}) + "\n" for n in range(3000))
    with httpx.Client(base_url=fresh.client.base_url, timeout=120) as writer:
        done = threading.Event()

        def write() -> None:
            writer.post("/documents", content=body, headers={"Content-Type": "application/x-ndjson"}).raise_for_status()
            done.set()

        thread = threading.Thread(target=write)
        thread.start()
        searches = 0
        while not done.is_set():
            assert fresh.search("present from the beginning", k=1)[0]["id"] == "a"
            searches += 1
            time.sleep(0.005)
        thread.join()
    assert searches > 5
