"""Documents that are longer than the model reads: nothing of them is lost, whatever happens to them."""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support import checkpoints
from tests.support.judging import judgement, put
from tests.support.metrics import samples
from tests.support.server import Server

MODES = ("dense", "keyword", "hybrid")
SETTINGS: dict[str, Any] = {"MODEL": "one", "WINDOWS__OVERLAP": 12, "WINDOWS__MOST": 20}
BOOKS = {"books": {"overlap": 0, "most": 100}, "heads": {"overlap": 0, "most": 1}}


def text(topic: str, sentences: int = 40) -> str:
    """A text of which the tiny models read some seven sentences."""
    return " ".join(f"Parcel {topic}{n} weighs {n * 7} grams." for n in range(sentences))


LONG = {topic: text(topic) for topic in ("harbour", "storm")}
SHORT = {f"note{n}": f"A note about shelf {n}" for n in range(5)}


def write(server: Server, texts: dict[str, str], **more: Any) -> Any:
    documents = [{"id": identity, "text": content} for identity, content in texts.items()]
    return server.post("/documents", {"documents": documents, **more})


def tokens(server: Server) -> float:
    return sum(value for _, value in samples(server).get("instar_tokens_total", []))


def windows(server: Server) -> int:
    count: int = server.get("/info")["windows"]
    return count


def passages(server: Server, document: str, **more: Any) -> list[tuple[int, int]]:
    """All passages of a document, by asking for each of its sentences, of which no other has all the words."""
    content = server.get(f"/documents/{document}")["text"]
    spans = set()
    for sentence in content.split(". "):
        hits = {hit["id"]: hit for hit in server.search(sentence, k=100, mode="keyword", **more)}
        spans.add(tuple(hits[document]["passage"]))
    return sorted(spans)


def prepare(server: Server, tiny_checkpoints: Path) -> Server:
    server.checkpoints.mkdir()
    for name in ("one", "two"):
        (server.checkpoints / name).symlink_to(tiny_checkpoints / name)
    checkpoints.tiny(server.checkpoints / "short", seed=3, positions=32)
    return server


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    """A service for tests that change no document of another one."""
    server = Server(tmp_path_factory.mktemp("windows"), **SETTINGS, WINDOWS__COLLECTIONS=json.dumps(BOOKS))
    with prepare(server, tiny_checkpoints):
        write(server, LONG | SHORT)
        yield server


@pytest.fixture
def stopped(tmp_path: Path, tiny_checkpoints: Path) -> Iterator[Server]:
    server = prepare(Server(tmp_path, **SETTINGS), tiny_checkpoints)
    yield server
    if server.process.poll() is None:
        server.stop()


def test_a_write_tells_its_windows(running: Server) -> None:
    before = windows(running)
    answer = write(running, {"a": text("told"), "b": "short"})
    assert answer["windows"] > 5
    assert answer["written"] == 2
    assert "cut" not in answer
    assert windows(running) == before + answer["windows"]
    again = write(running, {"a": text("told"), "b": "short"})
    assert (again["unchanged"], again["windows"]) == (2, 0)
    running.post("/documents/delete", {"ids": ["a", "b"]})
    assert windows(running) == before
    assert samples(running)["instar_windows"] == [({}, before)]


def test_what_no_window_has_is_told_and_found_by_keyword(running: Server) -> None:
    content = text("tail", 200)
    answer = write(running, {"tail": content})
    ((start, end),) = answer["cut"].values()
    assert (answer["windows"], start) == (20, 0)
    assert 0 < end < len(content)
    (hit,) = running.search("tail199", mode="keyword")
    assert hit["id"] == "tail"
    # No window has the word. The first one is as good as any.
    assert hit["passage"][0] == 0
    assert "searchable" not in hit
    (explained,) = running.search("tail199", mode="keyword", explain=True)
    assert explained["searchable"] == [start, end]
    page = running.client.get("/console/search", params={"q": "tail199", "left": "active-keyword"}).text
    assert f"cut: the model reads {100 * end / len(content):.0f} % of it" in page
    (whole,) = running.search("storm3", mode="keyword", explain=True)
    assert "searchable" not in whole
    streamed = running.client.post(
        "/documents",
        content=json.dumps({"id": "tail2", "text": content}) + "\n" + json.dumps({"id": "s", "text": "short"}),
        headers={"Content-Type": "application/x-ndjson"},
    ).json()
    assert (streamed["windows"], streamed["cut"]) == (21, {"tail2": [start, end]})
    running.post("/documents/delete", {"ids": ["tail", "tail2", "s"]})


def test_passages_are_whole_sentences_and_all_of_the_text(running: Server) -> None:
    content = LONG["storm"]
    spans = passages(running, "storm")
    assert len(spans) > 4
    assert (spans[0][0], spans[-1][1]) == (0, len(content))
    for start, end in spans:
        assert content[start:].startswith("Parcel")
        assert content[:end].endswith(".")
    for (_, before), (after, _) in pairwise(spans):
        # Two windows share a sentence.
        assert after < before


@pytest.mark.parametrize("mode", MODES)
def test_a_document_is_as_near_as_its_nearest_window(running: Server, mode: str) -> None:
    for start, end in passages(running, "harbour"):
        (hit,) = running.search(LONG["harbour"][start:end], k=1, mode=mode)
        assert (hit["id"], hit["passage"], hit["text"]) == ("harbour", [start, end], LONG["harbour"])
        if mode == "dense":
            assert hit["score"] > 0.9999


@pytest.mark.parametrize("mode", MODES)
def test_passages_come_in_place_of_documents(running: Server, mode: str) -> None:
    spans = passages(running, "storm")
    query = LONG["storm"][slice(*spans[3])]
    # The last word is of the first sentence, which is not in this passage.
    asked = f"{query} storm0"
    (whole,) = running.search(asked, k=1, mode=mode, highlight=True)
    (hit,) = running.search(asked, k=1, mode=mode, highlight=True, **{"return": "passages"})
    assert whole["passage"] == hit["passage"] == [*spans[3]]
    assert hit["text"] == query
    assert len(whole["highlights"]) > len(hit["highlights"]) > 0
    for result in (whole, hit):
        assert {result["text"][start:end] for start, end in result["highlights"]} <= set(asked.replace(".", "").split())
    (wider,) = running.search(query, k=1, mode=mode, neighbours=1, **{"return": "passages"})
    assert wider["passage"] == [spans[2][0], spans[4][1]]
    assert wider["text"] == LONG["storm"][slice(*wider["passage"])]
    (widest,) = running.search(query, k=1, mode=mode, neighbours=16, **{"return": "passages"})
    assert widest["text"] == LONG["storm"]


@pytest.mark.parametrize("mode", MODES)
def test_a_short_document_has_no_passage(running: Server, mode: str) -> None:
    hits = running.search("A note about shelf 3", k=5, mode=mode, neighbours=2, **{"return": "passages"})
    notes = [hit for hit in hits if hit["id"] in SHORT]
    assert notes
    for hit in notes:
        assert hit["text"] == SHORT[hit["id"]]
        assert "passage" not in hit


def test_several_queries_have_passages_of_their_own(running: Server) -> None:
    queries = ["Parcel storm3", "Parcel storm30", "Parcel harbour12"]
    together = running.post("/search", {"query": queries, "k": 3, "mode": "hybrid"})["results"]
    for query, hits in zip(queries, together, strict=True):
        alone = running.search(query, k=3, mode="hybrid")
        assert [(hit["id"], hit.get("passage")) for hit in hits] == [(hit["id"], hit.get("passage")) for hit in alone]


def test_a_long_document_counts_once_in_ranks_filters_and_diversity(running: Server) -> None:
    documents = [{"id": f"f{n}", "text": text(f"kind{n}", 12), "metadata": {"even": n % 2 == 0}} for n in range(20)]
    running.post("/documents", {"documents": documents, "collection": "filtered"})
    spec: dict[str, Any] = {"collection": "filtered", "k": 100}
    for mode in MODES:
        hits = running.search("Parcel kind7 of shelf", mode=mode, **spec)
        assert len({hit["id"] for hit in hits}) == len(hits)
    hits = running.search("Parcel kind7", filter={"even": True}, **spec)
    assert {hit["id"] for hit in hits} == {f"f{n}" for n in range(0, 20, 2)}
    every = running.search("Parcel kind7", explain=True, **spec)
    assert [hit["explain"]["dense"]["rank"] for hit in every] == list(range(1, 21))
    ids = [hit["id"] for hit in every]
    ranked = running.post("/search", {"query": "Parcel kind7", "rank_of": ids, **spec, "k": 3})["rank_of"]
    assert [place["rank"] for place in ranked] == list(range(1, 21))
    assert [place["score"] for place in ranked] == pytest.approx([hit["score"] for hit in every], abs=1e-5)
    for mode in MODES:
        diverse = running.search("Parcel kind7 of shelf", mode=mode, diversity=0.5, **spec | {"k": 5})
        assert len({hit["id"] for hit in diverse}) == 5
        assert all("passage" in hit for hit in diverse)
    running.client.delete("/collections/filtered")


def cut_of(server: Server) -> dict[str, int]:
    """The number of cut documents in each collection, as the service lists them."""
    return {each["name"]: each["cut"] for each in server.get("/collections")["collections"]}


def test_collections_cut_as_they_are_told_to(running: Server) -> None:
    content = text("shared", 60)
    by_collection = {name: write(running, {"same": content}, collection=name) for name in ("heads", "books", "default")}
    assert by_collection["heads"]["windows"] == 1
    assert by_collection["heads"]["cut"]["same"][1] < 400
    # Two windows of books share nothing, so there are fewer of them.
    assert 1 < by_collection["books"]["windows"] < by_collection["default"]["windows"]
    assert "cut" not in by_collection["books"] | by_collection["default"]
    cut = cut_of(running)
    assert (cut["heads"], cut["books"]) == (1, 0)
    write(running, {"same": "short", "other": content, "blank": f"short{' ' * 9000}"}, collection="heads")
    assert cut_of(running)["heads"] == 1
    last = content[-60:]
    (hit,) = running.search(last, k=1, collection="books")
    assert hit["passage"][1] == len(content)
    (hit,) = running.search(last, k=1, collection="heads")
    assert hit["passage"] == by_collection["heads"]["cut"]["same"]
    running.client.delete("/collections/books")
    running.client.delete("/collections/heads")
    running.post("/documents/delete", {"ids": ["same"]})


def test_updates_and_deletes_take_all_windows(running: Server) -> None:
    before = windows(running)
    write(running, {"changing": text("first")})
    write(running, {"changing": text("second", 60)})
    assert all(hit["score"] < 0.99999 for hit in running.search(text("first", 3), k=100))
    write(running, {"changing": "now it is short"})
    assert windows(running) == before + 1
    (hit,) = running.search("now it is short", k=1)
    assert hit["id"] == "changing"
    assert "passage" not in hit
    running.client.delete("/documents/changing")
    assert windows(running) == before
    assert "changing" not in {hit["id"] for hit in running.search("now it is short", k=100)}


def test_a_restart_embeds_nothing_and_changed_settings_long_documents_alone(stopped: Server) -> None:
    server = stopped.start()
    spent = tokens(server)
    write(server, LONG)
    of_long = tokens(server) - spent
    write(server, SHORT)
    count, spans = windows(server), passages(server, "storm")
    for _ in range(2):
        server.stop()
        server.start()
        assert (tokens(server), windows(server)) == (0, count)
        assert passages(server, "storm") == spans

    def restarted(**settings: object) -> tuple[int, float]:
        server.stop()
        server.settings = {**server.settings, **settings}
        server.start()
        return windows(server), tokens(server)

    fewer, spent = restarted(WINDOWS__OVERLAP=0)
    assert len(LONG) + len(SHORT) < fewer < count
    assert 0 < spent < of_long
    assert restarted(WINDOWS__OVERLAP=0) == (fewer, 0)
    truncated, spent = restarted(LONG="truncate")
    assert truncated == len(LONG) + len(SHORT)
    assert 0 < spent <= 64 * len(LONG)
    assert len(passages(server, "storm")) == 1
    answer = write(server, {"cut": LONG["storm"] + " More."})
    assert (answer["windows"], answer["cut"]["cut"][0]) == (1, 0)
    assert restarted(LONG="windows", WINDOWS__OVERLAP=8, WINDOWS__COLLECTIONS=json.dumps(BOOKS))[0] > count
    assert passages(server, "storm") == spans


def test_a_crash_loses_no_window(stopped: Server) -> None:
    server = stopped.start()
    write(server, LONG)
    count, spans = windows(server), passages(server, "storm")
    server.kill()
    server.start()
    assert (windows(server), tokens(server)) == (count, 0)
    assert passages(server, "storm") == spans


def test_another_checkpoint_has_other_windows_and_a_rollback_the_former(stopped: Server) -> None:
    server = stopped.start()
    write(server, LONG | SHORT)
    former, count, spans = server.get("/info")["model"], windows(server), passages(server, "storm")
    assert server.reload("short")["state"] == "done"
    assert windows(server) > 1.5 * count
    assert len(passages(server, "storm")) > len(spans)
    assert passages(server, "storm", model=former) == spans
    # A text that is there already is embedded for no generation, and the former one has its own windows of it.
    write(server, {"copy": LONG["storm"], "new": text("new")})
    server.client.delete("/documents/storm")
    server.post("/admin/rollback")
    assert passages(server, "copy") == spans
    assert {hit["id"] for hit in server.search("Parcel new", k=100)} == {"harbour", "copy", "new", *SHORT}
    again = write(server, {"again": text("new")})["windows"]
    assert windows(server) == count + 2 * again


def test_documents_of_several_windows_are_judged_and_shadowed(stopped: Server) -> None:
    server = stopped.start()
    write(server, {f"d{n}": text(f"topic{n}", 20) for n in range(12)})
    queries = [text(f"topic{n}", 12)[-50:] for n in range(12)]
    judgements = [
        judgement(query, hit["id"], good=not place)
        for query in queries
        for place, hit in enumerate(server.search(query, k=3))
    ]
    put(server, judgements)
    identity = server.post("/admin/reload", {"model": "short", "shadow": 1, "force": True})["id"]
    server.wait_for_stage(identity, "shadow")
    write(server, {"meanwhile": text("meanwhile")})
    for query in queries:
        server.search(query)
    job = server.post("/admin/activate", {"force": True})
    assert job["state"] == "done"
    assert (job["shadowed"]["searches"] + job["shadowed"]["skipped"], job["judged"]["queries"]) == (12, 12)
    (hit,) = (hit for hit in server.search("Parcel meanwhile3 of meanwhile", k=100) if hit["id"] == "meanwhile")
    assert hit["passage"]


def test_a_query_vector_and_a_score_have_passages_too(running: Server) -> None:
    content = LONG["storm"][:120]
    embedded = running.client.post("/embed", json={"inputs": [content], "input_type": "query"})
    body = {"query_vector": embedded.json()[0], "query": content, "model": embedded.headers["X-Instar-Model"]}
    by_vector = running.post("/search", {**body, "k": 3, "return": "passages"})["results"]
    assert by_vector == running.search(content, k=3, **{"return": "passages"})
    assert all(hit["score"] >= 0.5 for hit in running.search(content, min_score=0.5))
