"""DocsGPT, both ways: what it asks of a server of embeddings, and its vector store `deploy/docsgpt/instar.py`."""

import json
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import requests
from sentence_transformers import SentenceTransformer

from tests.support import checkpoints
from tests.support.docsgpt import load_store
from tests.support.server import Server

KEY = "the key"
ADMIN_KEY = "the admin's key"
ADMIN = {"Authorization": f"Bearer {ADMIN_KEY}"}
PROMPTS = {"query": "what is asked for: ", "document": "what is written: "}
TEXTS = ["Hold both buttons to reset.", "The till closes at nine.", "Count the stock again on Friday."]


@pytest.fixture
def instar(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The store's module, with the settings that a DocsGPT has that knows nothing of it."""
    for name in ("INSTAR_URL", "INSTAR_KEY", "INSTAR_RETURN"):
        monkeypatch.delenv(name, raising=False)
    return load_store(EMBEDDINGS_NAME="a model", VECTOR_STORE="instar")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    """A service with a key."""
    server = Server(tmp_path_factory.mktemp("docsgpt"), MODEL="one", API_KEY=KEY, ADMIN_KEY=ADMIN_KEY)
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server:
        server.client.headers["Authorization"] = f"Bearer {KEY}"
        yield server


@pytest.fixture
def made(instar: ModuleType, running: Server, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The store's module, with the service's address and key in the environment."""
    monkeypatch.setenv("INSTAR_URL", str(running.client.base_url))
    monkeypatch.setenv("INSTAR_KEY", KEY)
    return instar


def store_of(module: ModuleType, source: str | None = None) -> Any:
    """A store as DocsGPT's retrieval makes it, of a new source unless one is given."""
    return module.InstarStore(source or str(uuid.uuid4()), None)


def remote_embeddings(base_url: str, given: str | list[str], model: str, key: str | None = None) -> list[list[float]]:
    """What DocsGPT's RemoteEmbeddings sends, and what it takes from the answer."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    payload = {"input": given, "model": model}
    response = requests.post(f"{base_url.rstrip('/')}/v1/embeddings", headers=headers, json=payload, timeout=180)
    response.raise_for_status()
    found = response.json()
    assert "error" not in found
    return [item["embedding"] for item in sorted(found["data"], key=lambda item: item.get("index", 0))]


# The first way: Instar as the server of embeddings.


def test_a_question_and_documents_get_the_vectors_of_the_checkpoint_that_is_named(
    running: Server, tiny_checkpoints: Path
) -> None:
    model, base_url = running.get("/info")["model"], str(running.client.base_url)
    expected = SentenceTransformer(str(tiny_checkpoints / "one"), device="cpu").encode(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(remote_embeddings(base_url, TEXTS, model, KEY), expected, atol=1e-5)
    np.testing.assert_allclose(remote_embeddings(base_url, TEXTS[0], model, KEY), expected[:1], atol=1e-5)
    with pytest.raises(requests.HTTPError, match="401"):
        remote_embeddings(base_url, TEXTS, model)
    with pytest.raises(requests.HTTPError, match="404"):
        remote_embeddings(base_url, TEXTS, "huggingface_sentence-transformers/all-mpnet-base-v2", KEY)


@pytest.mark.parametrize("sides", [True, False])
def test_with_sides_a_bare_string_is_a_query_and_a_list_is_documents(tmp_path: Path, sides: bool) -> None:
    server = Server(tmp_path, MODEL="prompted", CLIENTS__OPENAI_SIDES=sides)
    model = SentenceTransformer(str(checkpoints.tiny(server.checkpoints / "prompted", prompts=PROMPTS)), device="cpu")
    plain = model.encode(TEXTS, normalize_embeddings=True)
    query = model.encode_query(TEXTS[:1], normalize_embeddings=True) if sides else plain[:1]
    documents = model.encode_document(TEXTS, normalize_embeddings=True) if sides else plain
    with server:
        base_url = str(server.client.base_url)
        np.testing.assert_allclose(remote_embeddings(base_url, TEXTS[0], "active"), query, atol=1e-5)
        np.testing.assert_allclose(remote_embeddings(base_url, TEXTS, "active"), documents, atol=1e-5)
        # A chunk at its ingestion.
        np.testing.assert_allclose(remote_embeddings(base_url, TEXTS[:1], "active"), documents[:1], atol=1e-5)
    assert np.abs(plain[:1] - model.encode_query(TEXTS[:1], normalize_embeddings=True)).max() > 1e-3


# The second way: Instar as the vector store.


def test_what_is_written_is_found_best_first(made: ModuleType) -> None:
    store = store_of(made)
    ids = store.add_texts(TEXTS, [{"source": "a.md", "title": text[:4]} for text in TEXTS])
    assert len(set(ids)) == len(TEXTS)
    found = store.search(TEXTS[1], k=2)
    assert [hit.page_content for hit in found[:1]] == [TEXTS[1]] == found[:1]
    assert found[0].metadata["title"] == "The "
    assert len(found) == 2
    scored = store.search_with_scores(TEXTS[1], k=3)
    scores = [score for _, score in scored]
    assert [hit for hit, _ in scored][:2] == found
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == pytest.approx(1, abs=1e-5)
    assert store.score_kind == "cosine_similarity"


def test_a_threshold_leaves_out_lower_cosines(made: ModuleType) -> None:
    store = store_of(made)
    store.add_texts(TEXTS)
    best, second, third = (score for _, score in store.search_with_scores(TEXTS[0], k=3))
    assert best > second > third
    assert len(store.search(TEXTS[0], k=3, score_threshold=(second + third) / 2)) == 2
    assert len(store.search(TEXTS[0], k=3, score_threshold=None)) == 3


def test_a_chunk_tells_the_search_that_found_it_and_is_stored_without_it(made: ModuleType, running: Server) -> None:
    store = store_of(made)
    ids = store.add_texts(TEXTS)
    found = [store.search(TEXTS[0], k=2), store.keyword_search("buttons", k=2)]
    for hits, query in zip(found, (TEXTS[0], "buttons"), strict=True):
        for hit in hits:
            noted = hit.metadata["instar"]
            assert noted["query"] == query
            assert ids[TEXTS.index(hit)] == noted["document"]
            event = {"search": noted["search"], "document": noted["document"], "collection": noted["collection"]}
            answer = running.client.post("/feedback", json=event | {"action": "click"}, headers=ADMIN)
            assert answer.json() == {"accepted": 1, "repeated": 0}
    assert len({hit.metadata["instar"]["search"] for hits in found for hit in hits}) == 2
    assert all("instar" not in chunk["metadata"] for chunk in store.get_chunks())


def test_a_service_that_keeps_no_searches_names_none(
    instar: ModuleType, tmp_path: Path, tiny_checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(tmp_path, MODEL="one", SEARCHES__KEEP="off")
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server:
        monkeypatch.setenv("INSTAR_URL", str(server.client.base_url))
        store = store_of(instar)
        store.add_texts(TEXTS)
        (hit,) = store.search(TEXTS[0], k=1)
        assert hit.metadata["instar"].keys() == {"query", "collection", "document"}


def test_a_vector_from_elsewhere_is_not_searched_with(made: ModuleType) -> None:
    store = store_of(made)
    store.add_texts(TEXTS)
    assert store.search(TEXTS[2], k=1, query_vector=[1.0] * 768) == [TEXTS[2]]


def test_more_than_instar_gives_at_a_time_is_asked_for_as_much_as_it_gives(made: ModuleType) -> None:
    store = store_of(made)
    store.add_texts(TEXTS)
    assert len(store.search(TEXTS[0], k=5000)) == len(TEXTS)


def test_a_prompt_gets_the_passages_of_long_chunks_if_it_wants_these(
    made: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, long = str(uuid.uuid4()), "The shop is open on Monday. " * 60 + TEXTS[0]
    store_of(made, source).add_texts([long, TEXTS[1]], [{"title": "long"}, {"title": "short"}])
    for wanted in (None, "documents"):
        monkeypatch.setattr(made, "settings", SimpleNamespace(INSTAR_RETURN=wanted))
        assert set(store_of(made, source).search(TEXTS[0], k=2)) == {long, TEXTS[1]}
    monkeypatch.setattr(made, "settings", SimpleNamespace(INSTAR_RETURN="passages"))
    passages = {hit.metadata["title"]: hit for hit in store_of(made, source).search(TEXTS[0], k=2)}
    assert passages["short"] == TEXTS[1]
    assert passages["long"] in long
    assert len(passages["long"]) < len(long) / 2
    assert store_of(made, source).get_chunks()[0]["text"] == long
    (word,) = store_of(made, source).keyword_search("buttons")
    assert "buttons" in word
    assert len(word) < len(long) / 2


def test_what_has_no_chunks_or_no_words_finds_nothing(made: ModuleType) -> None:
    store = store_of(made)
    assert store.search("anything", k=20) == []
    assert store.search_with_scores("anything", k=20, score_threshold=0.5) == []
    assert store.get_chunks() == []
    store.add_texts(TEXTS)
    assert store.search(" \n", k=20) == []


def test_a_word_is_found_by_keyword(made: ModuleType) -> None:
    store, other = store_of(made), store_of(made)
    store.add_texts(TEXTS)
    other.add_texts(["Both of these are of another source."])
    found = store.keyword_search("both", k=10)
    assert found == [TEXTS[0]]
    assert found[0].metadata["source_id"]


def test_two_sources_do_not_see_each_other(made: ModuleType) -> None:
    one, other = store_of(made), store_of(made)
    (own,) = one.add_texts(["the same text"], [{"source": "a.md"}])
    (foreign,) = other.add_texts(["the same text"], [{"source": "a.md"}])
    assert [chunk["doc_id"] for chunk in one.get_chunks()] == [own]
    assert len(one.search("the same text", k=20)) == 1
    assert not one.delete_chunk(foreign)
    assert one.delete_chunks_by_source_path("a.md") == 1
    other.delete_index()
    one.add_chunk("another text")
    assert other.search("the same text", k=20) == []
    other.delete_index()
    assert one.search("another text", k=20) == ["another text"]


def test_chunks_come_back_whole_and_in_order_whatever_their_number(
    made: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made, "_PAGE", 50)
    source = str(uuid.uuid4())
    texts = [f"chunk {number}" for number in range(2 * made._PORTION + 3)]
    ids = store_of(made, source).add_texts(texts, [{"place": number} for number in range(len(texts))])
    assert store_of(made, source).get_chunks() == [
        {"doc_id": ids[number], "text": text, "metadata": {"place": number, "source_id": source}}
        for number, text in enumerate(texts)
    ]


def test_metadata_that_json_does_not_know_is_stored_as_text_and_none_can_change_the_source(made: ModuleType) -> None:
    source = str(uuid.uuid4())
    store = store_of(made, source)
    written = {
        "date": datetime(2026, 11, 25, tzinfo=UTC),
        "path": Path("a/b.md"),
        "tags": ["x", {"y": 1.5}],
        "none": None,
        "parent_text": "a window " * 800,
        "source_id": "another",
    }
    store.add_chunk(TEXTS[0], written)
    (found,) = store.search(TEXTS[0], k=1)
    texts = {"date": "2026-11-25 00:00:00+00:00", "path": "a/b.md"}
    noted = found.metadata.pop("instar")
    assert found.metadata == written | texts | {"source_id": source}
    assert noted.keys() == {"search", "query", "collection", "document"}
    assert written["source_id"] == "another"


def test_one_chunk_or_those_of_a_file_are_deleted(made: ModuleType) -> None:
    store = store_of(made)
    kept = store.add_chunk(TEXTS[0], {"source": "kept.md"})
    gone = store.add_chunk(TEXTS[1], {"source": "kept.md"})
    store.add_texts([TEXTS[2], "more of it"], [{"source": "dir/gone.md"}] * 2)
    assert store.delete_chunk(gone)
    assert not store.delete_chunk(gone)
    assert store.delete_chunks_by_source_path("dir/gone.md") == 2
    assert store.delete_chunks_by_source_path("dir/gone.md") == 0
    assert [chunk["doc_id"] for chunk in store.get_chunks()] == [kept]


def test_a_source_that_is_ingested_again_has_each_chunk_once(made: ModuleType) -> None:
    source = str(uuid.uuid4())
    for _ in range(2):
        store = made.InstarStore(source_id=source, embeddings_key=None)
        store.delete_index()
        for text in TEXTS:
            store.add_texts([text], metadatas=[{"source": "a.md", "source_id": source}])
        store.save_local("inputs/local")
    assert [chunk["text"] for chunk in store.get_chunks()] == TEXTS


def test_a_reload_between_two_searches_needs_nothing_of_the_store(
    instar: ModuleType, tiny_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTAR_URL", str(tiny_server.client.base_url))
    store = store_of(instar)
    store.add_texts(TEXTS)
    chunks = store.get_chunks()
    assert store.search(TEXTS[0], k=1) == TEXTS[:1]
    before = tiny_server.get("/info")
    assert tiny_server.reload("two")["state"] == "done"
    assert tiny_server.get("/info")["dimensions"] != before["dimensions"]
    assert store.search(TEXTS[0], k=1) == TEXTS[:1]
    assert store.get_chunks() == chunks
    store.add_chunk("written afterwards")
    assert store.search("written afterwards", k=1) == ["written afterwards"]


def test_threads_search_and_write_each_with_stores_of_their_own(made: ModuleType) -> None:
    sources = [str(uuid.uuid4()) for _ in range(6)]
    for source in sources:
        store_of(made, source).add_chunk(f"the first of {source}")

    def ask(number: int) -> bool:
        source = sources[number % len(sources)]
        store_of(made, source).add_chunk(f"number {number} of {source}")
        found = store_of(made, source).search(f"number {number} of {source}", k=500)
        return found[0] == f"number {number} of {source}" and all(source in hit for hit in found)

    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(ask, range(120)))
    assert sum(len(store_of(made, source).get_chunks()) for source in sources) == 126


def test_a_connection_outlives_its_store(made: ModuleType) -> None:
    for _ in range(20):
        store_of(made).search("anything")
    pools = made._CONNECTIONS.poolmanager.pools
    assert [pools[key].num_connections for key in pools.keys()] == [1]  # noqa: SIM118  (it cannot be iterated)


def test_a_store_is_made_without_a_request_and_without_a_model(
    instar: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTAR_URL", "http://127.0.0.1:1")
    store = store_of(instar)
    # What DocsGPT's retrieval looks for, before it searches, to embed the question once for all sources.
    assert not [name for name in ("_embedding", "_embeddings", "embeddings") if hasattr(store, name)]
    assert store._get_embeddings("a model", None) is None


def test_the_address_is_of_docsgpts_settings_else_of_the_environment(
    instar: ModuleType, running: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="INSTAR_URL is not set: put Instar's address into"):
        store_of(instar)
    monkeypatch.setenv("INSTAR_URL", "http://127.0.0.1:1")
    settings = SimpleNamespace(INSTAR_URL=f"{running.client.base_url}/", INSTAR_KEY=KEY)
    monkeypatch.setattr(instar, "settings", settings)
    assert store_of(instar).search("anything") == []


def test_errors_say_what_instar_says(made: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(requests.HTTPError, match=r"Instar answered 422: documents.0.text is empty"):
        store_of(made).add_texts([" "])
    monkeypatch.setenv("INSTAR_KEY", "wrong")
    store = store_of(made)
    for name, arguments in {"search": ["a"], "get_chunks": [], "delete_index": [], "delete_chunk": ["a"]}.items():
        with pytest.raises(requests.HTTPError, match="Instar answered 401: "):
            getattr(store, name)(*arguments)


class Scripted:
    """A server that answers by its script: (status, headers), or None to break the connection."""

    def __init__(self, *script: tuple[int, dict[str, str]] | None) -> None:
        self.bodies: list[Any] = []
        scripted, left = self, iter(script)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                scripted.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                step = next(left)
                if step is None:
                    self.close_connection = True
                    return
                status, headers = step
                ok = b'{"ids": [], "results": []}'
                content = ok if status == requests.codes.ok else b"a proxy's page"
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def answering(self) -> Iterator[None]:
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


@pytest.fixture
def waited(instar: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the store has waited, instead of waiting."""
    seconds: list[float] = []
    monkeypatch.setattr(instar, "time", SimpleNamespace(sleep=seconds.append))
    return seconds


OK: tuple[int, dict[str, str]] = (200, {})


def test_a_write_waits_as_long_as_it_is_asked_to_and_sends_the_same_again(
    instar: ModuleType, waited: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted = Scripted((429, {"Retry-After": "7"}), (503, {"Retry-After": "600"}), (429, {}), OK)
    monkeypatch.setenv("INSTAR_URL", scripted.url)
    with scripted.answering():
        ids = store_of(instar).add_texts(TEXTS)
    assert waited == [7, 20, 1]
    assert len(scripted.bodies) == 4
    assert all(body == scripted.bodies[0] for body in scripted.bodies)
    assert [document["id"] for document in scripted.bodies[0]["documents"]] == ids


def test_patience_ends_and_a_search_has_none(
    instar: ModuleType, waited: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted = Scripted(*[(429, {"Retry-After": "2"})] * 5)
    monkeypatch.setenv("INSTAR_URL", scripted.url)
    with scripted.answering():
        with pytest.raises(requests.HTTPError, match="Instar answered 429: a proxy's page"):
            store_of(instar).add_texts(TEXTS)
        assert waited == [2, 2, 2]
        with pytest.raises(requests.HTTPError, match="429"):
            store_of(instar).search("anything")
    assert len(waited) == 3


def test_a_connection_that_breaks_is_made_anew_once(
    instar: ModuleType, waited: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted = Scripted(OK, None, OK, None, None)
    monkeypatch.setenv("INSTAR_URL", scripted.url)
    with scripted.answering():
        assert store_of(instar).search("anything") == []
        store_of(instar).add_texts(TEXTS)
        assert scripted.bodies[1] == scripted.bodies[2]
        with pytest.raises(requests.ConnectionError):
            store_of(instar).search("anything")
    assert waited == []
