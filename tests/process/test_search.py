"""`/search` in all its modes, by the answers of a running service."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.server import Server

TEXTS = {
    "pins": "place_pin with -layer puts one pin on a layer",
    "placing": "Placing a pin by hand, layer after layer",
    "tithe": "Error E-1043 means that the tithe of a month is missing",
    "harbour": "The harbour is closed in a storm",
    "storm": "In a storm the harbour master closes the harbour",
    "han": "连接数据库失败",
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("search"), MODEL="one", LIMITS__QUERIES=4)
    server.checkpoints.mkdir()
    for name in ("one", "two"):
        (server.checkpoints / name).symlink_to(tiny_checkpoints / name)
    with server:
        server.put_documents(TEXTS)
        server.post(
            "/documents",
            {
                "collection": "other",
                "documents": [
                    {"id": f"o{n}", "text": f"harbour number {n}", "metadata": {"even": n % 2 == 0}} for n in range(40)
                ],
            },
        )
        yield server


def ids(hits: list[dict[str, Any]]) -> list[str]:
    return [hit["id"] for hit in hits]


def active(server: Server) -> str:
    return str(server.post("/search", {"query": "harbour"})["model"])


def refusal(server: Server, **body: Any) -> tuple[int, str]:
    response = server.client.post("/search", json={"query": "harbour"} | body)
    return response.status_code, response.json()["error"]["param"]


def test_keyword_mode_finds_identifiers_and_other_scripts(running: Server) -> None:
    assert ids(running.search("place_pin -layer", mode="keyword"))[0] == "pins"
    assert ids(running.search("E-1043", mode="keyword")) == ["tithe"]
    assert ids(running.search("数据库", mode="keyword")) == ["han"]
    assert running.search("nowhere_there", mode="keyword") == []
    assert running.search("-- !", mode="keyword") == []


def test_keyword_scores_are_bm25_best_first(running: Server) -> None:
    hits = running.search("storm harbour master", mode="keyword")
    assert ids(hits) == ["storm", "harbour"]
    assert hits[0]["score"] > hits[1]["score"] > 0


def test_keyword_search_keeps_to_its_collection_and_filter(running: Server) -> None:
    assert set(ids(running.search("harbour", mode="keyword"))) == {"harbour", "storm"}
    found = running.search("harbour", mode="keyword", collection="other", filter={"even": True}, k=40)
    assert sorted(ids(found)) == sorted(f"o{n}" for n in range(0, 40, 2))


def test_equal_scores_keep_the_order_of_writing(running: Server) -> None:
    assert ids(running.search("harbour", mode="keyword", collection="other", k=40)) == [f"o{n}" for n in range(40)]


@pytest.mark.parametrize("mode", ["dense", "keyword", "hybrid"])
def test_pages_put_together_are_the_whole(running: Server, mode: str) -> None:
    whole = running.search("harbour", mode=mode, collection="other", k=40)
    pages = [running.search("harbour", mode=mode, collection="other", k=7, offset=at) for at in range(0, 40, 7)]
    assert [hit for page in pages for hit in page] == whole
    assert running.search("harbour", mode=mode, collection="other", k=7, offset=40) == []


@pytest.mark.parametrize("mode", ["dense", "keyword", "hybrid"])
def test_several_queries_are_answered_as_if_one_by_one(running: Server, mode: str) -> None:
    queries = ["harbour in a storm", "E-1043", "nowhere there"]
    together = running.post("/search", {"query": queries, "mode": mode, "explain": True})["results"]
    alone = [running.search(query, mode=mode, explain=True) for query in queries]
    assert [ids(hits) for hits in together] == [ids(hits) for hits in alone]
    for own, other in zip(together, alone, strict=True):
        assert [hit["score"] for hit in own] == pytest.approx([hit["score"] for hit in other], abs=1e-5)


@pytest.mark.parametrize("fusion", ["score", "rank"])
def test_a_hybrid_score_is_what_its_explanation_says(running: Server, fusion: str) -> None:
    query = "harbour in a storm"
    hits = running.search(query, mode="hybrid", fusion=fusion, weights={"dense": 3, "keyword": 1}, explain=True)
    alone = {hit["id"]: hit["score"] for hit in running.search(query)}
    bm25 = {hit["id"]: hit["explain"].get("keyword", {"score": 0})["score"] for hit in hits}
    assert len({score for score in bm25.values() if score}) >= 2
    best = max(hits, key=lambda hit: bm25[hit["id"]])
    # The most that a text could score, told by the best.
    most = bm25[best["id"]] / (4 * best["score"] - 3 * alone[best["id"]])
    for hit in hits:
        parts = hit["explain"]
        if fusion == "score":
            assert 0 <= bm25[hit["id"]] <= most
            expected = (3 * alone[hit["id"]] + bm25[hit["id"]] / most) / 4
        else:
            shares = {"dense": 0.75, "keyword": 0.25}
            expected = sum(shares[part] * 61 / (60 + parts[part]["rank"]) for part in parts)
        assert hit["score"] == pytest.approx(expected, abs=1e-6)
    assert all(left["score"] >= right["score"] for left, right in pairwise(hits))


@pytest.mark.parametrize("fusion", ["score", "rank"])
@pytest.mark.parametrize("part", ["dense", "keyword"])
def test_a_part_of_weight_0_changes_no_order(running: Server, part: str, fusion: str) -> None:
    weights = {"dense": 0, "keyword": 0} | {part: 1}
    alone = ids(running.search("harbour in a storm", mode=part))
    hybrid = running.search("harbour in a storm", mode="hybrid", fusion=fusion, weights=weights)
    assert ids(hybrid)[: len(alone)] == alone


def test_explanations_give_rank_and_score_of_each_part(running: Server) -> None:
    dense = running.search("harbour", explain=True)
    assert [hit["explain"] for hit in dense] == [
        {"dense": {"rank": rank, "score": hit["score"]}} for rank, hit in enumerate(dense, 1)
    ]


def test_highlights_are_the_words_of_the_query(running: Server) -> None:
    for hit in running.search("place_pin -layer", mode="hybrid", highlight=True):
        marked = [hit["text"][start:end] for start, end in hit["highlights"]]
        assert marked == {
            "pins": ["place_pin", "layer", "pin", "layer"],
            "placing": ["Placing", "pin", "layer", "layer"],
        }.get(hit["id"], [])


def test_min_score_is_the_score_of_the_mode(running: Server) -> None:
    for mode in ("dense", "keyword", "hybrid"):
        first, second, *_ = running.search("harbour in a storm", mode=mode)
        between = (first["score"] + second["score"]) / 2
        assert ids(running.search("harbour in a storm", mode=mode, min_score=between)) == [first["id"]]


def test_diversity_leaves_out_what_says_the_same(running: Server) -> None:
    running.post(
        "/documents",
        {"collection": "alike", "documents": [{"id": f"same{n}", "text": "the same words"} for n in range(5)]},
    )
    running.put_documents({"else": "of a different kind"}, collection="alike")
    query = "the same words"
    alike: dict[str, Any] = {"collection": "alike", "k": 2}
    assert ids(running.search(query, **alike)) == ["same0", "same1"]
    assert ids(running.search(query, **alike, diversity=0.6)) == ["same0", "else"]
    assert ids(running.search(query, **alike, diversity=1, mode="hybrid")) == ["same0", "else"]


def places(server: Server, query: str, ids: list[str], **body: Any) -> dict[str, Any]:
    """The places of documents that a search is asked for, by id."""
    answer = server.post("/search", {"query": query, "rank_of": ids} | body)
    assert [place["id"] for place in answer["rank_of"]] == ids
    return {place["id"]: place for place in answer["rank_of"]}


@pytest.mark.parametrize("mode", ["dense", "keyword", "hybrid"])
@pytest.mark.parametrize("only", [None, {"even": True}])
def test_a_place_is_that_of_a_search_without_end(running: Server, mode: str, only: dict[str, Any] | None) -> None:
    body = {"collection": "other", "mode": mode, "filter": only}
    query = "number 7 of the harbour"
    whole = running.search(query, k=40, **body)
    assert len(whole) == (40 if only is None else 20)
    for k, offset in ((1, 0), (3, 5), (40, 0)):
        asked = places(running, query, ids(whole), k=k, offset=offset, **body)
        for rank, hit in enumerate(whole, 1):
            place = asked[hit["id"]]
            assert (place["rank"], place["reason"]) == (rank, None)
            assert place["score"] == pytest.approx(hit["score"], abs=1e-6)
    # What is cut off has its place all the same.
    below = places(running, query, ids(whole), min_score=1e6, k=1, **body)
    assert [place["rank"] for place in below.values()] == list(range(1, len(whole) + 1))


def test_what_has_no_place_says_why(running: Server) -> None:
    asked = places(running, "harbour", ["o1", "o2", "pins", "nowhere"], collection="other", filter={"even": True})
    assert asked["o2"]["rank"] >= 1
    for identity, reason in (("o1", "filter"), ("pins", "no document 'pins' in the collection 'other'")):
        assert (asked[identity]["rank"], asked[identity]["score"]) == (None, None)
        assert reason in asked[identity]["reason"]
    assert "no document" in asked["nowhere"]["reason"]
    asked = places(running, "storm", ["pins", "storm"], mode="keyword", k=1)
    assert asked["storm"]["rank"] in (1, 2)
    assert "words" in asked["pins"]["reason"]
    assert "words" in places(running, "-- !", ["pins"], mode="keyword")["pins"]["reason"]


def test_places_are_told_of_each_query_and_only_when_asked(running: Server) -> None:
    queries = ["harbour in a storm", "E-1043"]
    answer = running.post("/search", {"query": queries, "rank_of": ["tithe"], "k": 1, "mode": "hybrid"})
    alone = [places(running, query, ["tithe"], k=1, mode="hybrid")["tithe"] for query in queries]
    assert [of[0]["rank"] for of in answer["rank_of"]] == [place["rank"] for place in alone]
    assert running.post("/search", {"query": "harbour", "rank_of": []})["rank_of"] == []
    assert {"rank_of", "behind"}.isdisjoint(running.post("/search", {"query": "harbour"}))


def test_places_far_down_in_a_large_collection_are_exact(tmp_path: Path, tiny_checkpoints: Path) -> None:
    server = Server(tmp_path, MODEL="one", LIMITS__K=300, INDEX__HNSW_FROM=2000)
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server:
        texts = {f"d{n}": f"item {n} of aisle {n % 97}, shelf {n % 31}" for n in range(4200)}
        # The same passage again and again: the first that was written comes first.
        texts |= {f"same{n}": "closed on Sundays" for n in range(60)}
        for start in range(0, len(texts), 2000):
            server.put_documents(dict(list(texts.items())[start : start + 2000]))
        server.stop()
        # The restart seals them, into a graph; some are written behind it, and some are gone.
        server.start()
        server.put_documents({"d5": "item 5 of aisle 9", "late": "closed on Sundays"})
        server.post("/documents/delete", {"ids": [f"d{n}" for n in range(100, 150)]})
        gone = {f"d{n}" for n in range(100, 150)}
        wanted = ["d7", "d4000", "same0", "same59", "late", "d5", "d100"]
        model = server.get("/info")["model"]
        stored: dict[str, list[list[float]]] = {}
        for kind in ("query", "document"):
            inputs = [texts["d7"]] if kind == "query" else [*texts.values(), "item 5 of aisle 9"]
            for start in range(0, len(inputs), 4000):
                part = server.post("/embed", {"inputs": inputs[start : start + 4000], "input_type": kind})
                stored.setdefault(kind, []).extend(part)
        rows = dict(zip([*texts, "d5"], np.array(stored["document"]), strict=False))
        rows["d5"] = np.array(stored["document"][-1])
        rows["late"] = rows["same0"]
        cosines = {identity: float(row @ np.array(stored["query"][0])) for identity, row in rows.items()}
        found = places(server, texts["d7"], wanted, k=1, model=model)
        for identity in wanted[:-1]:
            above = sum(score > cosines[identity] + 1e-5 for other, score in cosines.items() if other not in gone)
            as_high = sum(score > cosines[identity] - 1e-5 for other, score in cosines.items() if other not in gone)
            assert above < found[identity]["rank"] <= as_high, identity
            assert found[identity]["score"] == pytest.approx(cosines[identity], abs=1e-5)
        assert found["same59"]["rank"] - found["same0"]["rank"] == 59
        assert found["late"]["rank"] - found["same0"]["rank"] == 60
        assert found["d100"]["rank"] is None
        hybrid = places(server, texts["d7"], wanted, k=1, mode="hybrid")
        deep = ids(server.search(texts["d7"], k=300, mode="hybrid"))
        for identity, place in hybrid.items():
            if identity in deep:
                assert place["rank"] is not None
            elif identity not in gone:
                assert place["reason"] is None or "too far down" in place["reason"]
        assert any(place["reason"] and "too far down" in place["reason"] for place in hybrid.values())


def test_a_query_vector_answers_as_its_query(running: Server) -> None:
    model = active(running)
    queries = ["harbour in a storm", "E-1043"]
    vectors = running.post("/embed", {"inputs": queries, "input_type": "query"})
    body = {"query": queries[0], "query_vector": [7 * number for number in vectors[0]], "model": model}
    assert ids(running.post("/search", body)["results"]) == ids(running.search(queries[0]))
    both = running.post("/search", {"query": queries, "query_vector": vectors, "model": model})["results"]
    assert [ids(hits) for hits in both] == [ids(running.search(query)) for query in queries]


def test_a_query_vector_of_another_model_is_refused(running: Server) -> None:
    model = active(running)
    (vector,) = running.post("/embed", {"inputs": "harbour"})
    assert refusal(running, query_vector=vector) == (422, "model")
    assert refusal(running, query_vector=vector, model="active") == (422, "model")
    assert refusal(running, query_vector=vector, model="two@123456789012") == (404, "model")
    assert refusal(running, query_vector=vector[:-1], model=model) == (422, "query_vector")
    assert refusal(running, query_vector=[vector], model=model) == (422, "query_vector")
    assert refusal(running, query_vector=[0.0] * len(vector), model=model) == (422, "query_vector")
    assert refusal(running, query_vector=[1e39] * len(vector), model=model) == (422, "query_vector")
    assert refusal(running, query_vector=vector, model=model, mode="keyword") == (422, "query_vector")
    assert refusal(running, query=["a", "b"], query_vector=[vector, vector[1:]], model=model) == (422, "query_vector")


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({"query": []}, (422, "query")),
        ({"query": ["a", " "]}, (422, "query.1")),
        ({"query": ["a"] * 5}, (413, "query")),
        ({"k": 1000, "offset": 1}, (422, "offset")),
        ({"weights": {"dense": 0, "keyword": 0}}, (422, "weights")),
        ({"weights": {"dense": -1, "keyword": 1}}, (422, "weights.dense")),
        ({"fusion": "best"}, (422, "fusion")),
        ({"diversity": 1.5}, (422, "diversity")),
        ({"mode": "both"}, (422, "mode")),
        ({"rank_of": ["pins"], "diversity": 0.5}, (422, "rank_of")),
        ({"rank_of": ["pins"] * 101}, (422, "rank_of")),
        ({"rank_of": [1]}, (422, "rank_of.0")),
        ({"generation": 2**53}, (404, "generation")),
        ({"generation": 0}, (404, "generation")),
        ({"model": "nonsense"}, (404, "model")),
    ],
)
def test_what_is_not_in_the_contract_is_refused(
    running: Server, body: dict[str, Any], refused: tuple[int, str]
) -> None:
    assert refusal(running, **body) == refused


def test_words_follow_upserts_deletes_and_restarts(tiny_server: Server) -> None:
    server = tiny_server
    server.put_documents({"a": "the former zebra", "b": "a second zebra"})
    server.put_documents({"a": "the present giraffe"})
    server.post("/documents/delete", {"ids": ["b"]})
    for _ in range(2):
        assert server.search("zebra", mode="keyword") == []
        assert ids(server.search("giraffe", mode="keyword")) == ["a"]
        server.stop()
        server.start()


def test_a_word_that_was_asked_for_in_vain_is_found_once_it_is_written(tiny_server: Server) -> None:
    tiny_server.put_documents({f"d{number}": f"text number {number}" for number in range(100)})
    assert tiny_server.search("E4711", mode="keyword") == []
    tiny_server.put_documents({"new": "the till says E4711"})
    assert [hit["id"] for hit in tiny_server.search("E4711", mode="keyword")] == ["new"]


def test_the_first_document_is_found_by_a_word_that_was_asked_for_before(tiny_server: Server) -> None:
    assert tiny_server.search("red", mode="keyword") == []
    tiny_server.put_documents({"a": "a red parcel"})
    assert [hit["id"] for hit in tiny_server.search("red", mode="keyword")] == ["a"]


def test_a_reload_changes_no_keyword_search(tiny_server: Server) -> None:
    server = tiny_server
    server.put_documents(TEXTS)
    before = server.search("harbour in a storm", mode="keyword")
    assert server.reload("two")["state"] == "done"
    assert server.search("harbour in a storm", mode="keyword") == before


def test_cosines_of_query_vectors_are_those_of_unit_vectors(running: Server) -> None:
    model = active(running)
    (vector,) = running.post("/embed", {"inputs": TEXTS["storm"]})
    longer = (1000 * np.array(vector)).tolist()
    best = running.post("/search", {"query": "x", "query_vector": longer, "model": model})["results"][0]
    assert best["score"] == pytest.approx(1, abs=1e-5)
