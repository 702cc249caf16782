"""Quality over HTTP: what a model gets wrong, how that is paged, what changes it, and what outlives a restart."""

from typing import Any

import pytest

from service import ranking
from tests.support.judging import QUERIES, TEXTS, judged_by, judgement, put
from tests.support.server import Server


def quality(server: Server, **params: Any) -> dict[str, Any]:
    answer: dict[str, Any] = server.get("/admin/quality", params=params)
    return answer


def test_the_figures_are_those_of_the_searches(filled: Server) -> None:
    server = filled
    good = {query: {f"d{n}", f"d{n + 20}", f"d{n + 40}"} for n, query in enumerate(QUERIES)}
    put(server, [judgement(query, each) for query, ids in good.items() for each in ids])
    for mode in ("dense", "hybrid", "keyword"):
        answer = quality(server, mode=mode)
        assert (answer["state"], answer["generation"], answer["mode"], answer["side"]) == ("measured", 1, mode, "judge")
        ndcg = []
        for one in answer["queries"]:
            shown = [hit["id"] for hit in server.search(one["query"], mode=mode)]
            known = good[one["query"]]
            assert one["ndcg"] == pytest.approx(ranking.ndcg(shown, known))
            assert one["recall"] == pytest.approx(ranking.recall(shown, known, 10))
            ranks = [rank for rank, identity in enumerate(shown, 1) if identity in known]
            assert (one["good"], one["good_shown"], one["judged"]) == (3, len(ranks), len(ranks))
            assert one["first_good"] == (ranks[0] if ranks else None)
            ndcg.append(one["ndcg"])
        assert ndcg == sorted(ndcg)
        assert len(ndcg) == answer["figures"]["queries"] == len(QUERIES)
        assert answer["figures"]["ndcg"] == pytest.approx(sum(ndcg) / len(ndcg))
        low, high = answer["figures"]["ndcg_interval"]
        assert low <= answer["figures"]["ndcg"] <= high


def test_pages_follow_each_other_and_collections_stand_alone(filled: Server) -> None:
    server = filled
    server.put_documents({"x": TEXTS["d1"]}, collection="other")
    other = judgement("elsewhere", "x", collection="other")
    put(server, [*judged_by(server), other])
    whole = quality(server)["queries"]
    pages = [quality(server, limit=5, offset=offset)["queries"] for offset in (0, 5, 10, 15)]
    assert [len(page) for page in pages] == [5, 5, 3, 0]
    assert [one for page in pages for one in page] == whole
    answer = quality(server, collection="other")
    assert [one["query"] for one in answer["queries"]] == ["elsewhere"]
    assert answer["figures"]["queries"] == 1
    assert [one["collection"] for one in answer["by_collection"]] == ["default", "other"]


def test_judgements_and_documents_change_what_is_kept(filled: Server) -> None:
    server = filled
    empty = quality(server)
    assert (empty["figures"], empty["queries"]) == (None, [])
    assert "POST /admin/judgements" in empty["obstacle"]
    put(server, judged_by(server))
    first = quality(server)
    assert (first["figures"]["ndcg"], first["obstacle"]) == (1.0, None)
    assert quality(server)["at"] == first["at"]
    document = server.search(QUERIES[0], k=1)[0]["id"]
    server.client.delete(f"/documents/{document}").raise_for_status()
    assert quality(server)["figures"]["queries"] < len(QUERIES)
    server.client.delete("/admin/judgements", params={"collection": "default"}).raise_for_status()
    assert quality(server)["figures"] is None


def test_a_reload_and_a_look_are_points_of_the_history_after_a_restart_too(filled: Server) -> None:
    server = filled
    put(server, judged_by(server))
    quality(server)
    assert server.wait_for_job(server.post("/admin/reload", {"model": "two", "force": True})["id"])["state"] == "done"
    worse = quality(server)
    assert (worse["generation"], quality(server, generation=1)["figures"]["ndcg"]) == (2, 1.0)
    points = server.get("/admin/quality/history")["points"]
    assert sorted((point["generation"], point["source"]) for point in points) == [
        (1, "measured"),
        (2, "measured"),
        (2, "reload"),
    ]
    of_second = [point["figures"]["ndcg"] for point in points if point["generation"] == 2]
    assert of_second == pytest.approx([worse["figures"]["ndcg"]] * 2)
    server.stop()
    server.start()
    assert server.get("/admin/quality/history")["points"] == points
