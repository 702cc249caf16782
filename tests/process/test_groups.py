"""`group_by` and `facets`, by the answers of a running service."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import Server

QUERY = "the harbour is closed"
MODES = ("dense", "keyword", "hybrid")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("groups"), MODEL="one")
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server:
        documents: list[dict[str, Any]] = [
            {"id": f"big{number}", "text": f"the harbour is closed on day {number}", "metadata": {"source": "big.md"}}
            for number in range(1500)
        ]
        documents += [
            {
                "id": f"small{number}",
                "text": f"a storm at the harbour, part {number}",
                "metadata": {
                    "source": f"s{number % 5}.md",
                    "part": {"of": number % 2},
                    "tags": ["x", f"t{number % 3}"],
                },
            }
            for number in range(30)
        ]
        documents += [{"id": f"none{number}", "text": f"closed door {number}", "metadata": {}} for number in range(3)]
        server.post("/documents", {"documents": documents})
        yield server


def sources(hits: list[dict[str, Any]]) -> Counter[str]:
    return Counter(str(hit["metadata"].get("source")) for hit in hits)


@pytest.mark.parametrize("mode", MODES)
def test_at_most_so_many_of_each_value_however_large_one_is(running: Server, mode: str) -> None:
    hits = running.search(QUERY, mode=mode, k=12, group_by="source", group_size=2)
    assert len(hits) == 12
    counts = sources(hits)
    del counts["None"]
    assert max(counts.values()) == 2
    assert counts["big.md"] == 2
    assert hits == sorted(hits, key=lambda hit: -hit["score"])


@pytest.mark.parametrize("mode", ["dense", "keyword"])
def test_it_is_the_plain_ranking_without_what_is_too_much(running: Server, mode: str) -> None:
    plain = running.search(QUERY, mode=mode, k=1000)
    grouped = running.search(QUERY, mode=mode, k=1000, group_by="source")
    assert plain[0]["id"] == grouped[0]["id"]
    assert sources(grouped)["big.md"] == 1
    assert len(grouped) == 9
    by_id = {hit["id"]: hit["score"] for hit in plain}
    assert all(by_id[hit["id"]] == pytest.approx(hit["score"]) for hit in grouped if hit["id"] in by_id)


def test_nested_keys_lists_and_documents_without_the_key(running: Server) -> None:
    tree = {"source": {"ne": "big.md"}}
    parts = running.search(QUERY, k=50, group_by="part.of", group_size=3, filter=tree)
    assert Counter(hit["metadata"].get("part", {}).get("of") for hit in parts) == {0: 3, 1: 3, None: 3}
    # Each has the tag x, and three have no tag.
    assert len(running.search(QUERY, k=50, group_by="tags", group_size=4, filter=tree)) == 7
    assert len(running.search(QUERY, k=50, group_by="nothing", filter=tree)) == 33


def test_pages_details_and_several_queries(running: Server) -> None:
    grouped: dict[str, Any] = {"group_by": "source", "group_size": 1}
    whole = running.search(QUERY, k=8, **grouped)
    assert [*running.search(QUERY, k=4, **grouped), *running.search(QUERY, k=4, offset=4, **grouped)] == whole
    (hit, *_) = running.search(QUERY, k=3, mode="hybrid", explain=True, highlight=True, **grouped)
    assert hit["explain"].keys() <= {"dense", "keyword"}
    assert hit["highlights"]
    both = running.post("/search", {"query": [QUERY, "a storm"], "k": 8, **grouped})["results"]
    # Queries of one request are embedded together, which may change the last digit.
    assert both[0] == [hit | {"score": pytest.approx(hit["score"], abs=1e-5)} for hit in whole]
    assert sources(both[1])["big.md"] <= 1
    least = whole[4]["score"]
    assert running.search(QUERY, k=8, min_score=least, **grouped) == whole[:5]


def test_facets_count_what_passes_the_filter(running: Server) -> None:
    answer = running.post("/search", {"query": QUERY, "k": 1, "facets": ["source", "tags", "no"], "facet_limit": 2})
    assert answer["facets"] == {
        "source": [{"value": "big.md", "count": 1500}, {"value": "s0.md", "count": 6}],
        "tags": [{"value": "x", "count": 30}, {"value": "t0", "count": 10}],
        "no": [],
    }
    filtered = running.post("/search", {"query": QUERY, "filter": {"tags": "t1"}, "facets": ["source", "part.of"]})
    assert filtered["facets"]["source"] == [{"value": f"s{number}.md", "count": 2} for number in range(5)]
    assert {counted["value"] for counted in filtered["facets"]["part.of"]} == {0, 1}


def test_facets_in_keyword_mode_count_what_has_a_word(running: Server) -> None:
    answer = running.post("/search", {"query": "storm", "mode": "keyword", "k": 1, "facets": ["source"]})
    assert sum(counted["count"] for counted in answer["facets"]["source"]) == 30
    several = running.post("/search", {"query": ["storm", "door"], "mode": "keyword", "facets": ["source"]})
    assert [len(facets["source"]) for facets in several["facets"]] == [5, 0]


def test_facets_follow_every_write(tiny_server: Server) -> None:
    def counted() -> list[dict[str, Any]]:
        counts: list[dict[str, Any]] = tiny_server.post("/search", {"query": "a", "facets": ["n"]})["facets"]["n"]
        return counts

    body = [{"id": f"d{number}", "text": f"text {number}", "metadata": {"n": number % 2}} for number in range(1200)]
    tiny_server.post("/documents", {"documents": body})
    assert counted() == [{"value": 0, "count": 600}, {"value": 1, "count": 600}]
    tiny_server.post("/documents", {"documents": [{"id": "d0", "text": "text 0", "metadata": {"n": 1}}]})
    assert counted() == [{"value": 1, "count": 601}, {"value": 0, "count": 599}]
    tiny_server.post("/documents/delete", {"filter": {"n": 1}})
    assert counted() == [{"value": 0, "count": 599}]


def test_what_has_no_meaning_is_refused_with_what_to_do(running: Server) -> None:
    for body, message in (
        ({"group_by": "source", "diversity": 0.5}, "leave one of the two out"),
        ({"group_by": "source", "rank_of": ["big1"]}, "leave one of the two out"),
        ({"group_size": 3}, "name a metadata key"),
    ):
        response = running.client.post("/search", json={"query": QUERY} | body)
        assert response.status_code == 422
        assert message in response.json()["error"]["message"]
