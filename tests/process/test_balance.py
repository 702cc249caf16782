"""Each collection of a generation has weights of its own for hybrid searches, which stay with that generation."""

import time
from typing import Any

import pytest

from service.settings import Settings
from tests.support.server import Server

WARES = ("lamp", "rope", "sail", "stove", "crate")
TEXTS = {
    f"d{n}": f"The {WARES[n % 5]} number {n} is kept in cellar {n % 7} of the harbour, behind a door of the keeper."
    f" Every {WARES[n % 5]} of row {n % 11} is counted once a year, and what is lost of lot {n} is written down."
    for n in range(60)
}
QUERY = "which lamp of row 3 is lost"


def weights(server: Server) -> dict[str, Any]:
    """The weights of the collection, as soon as it has any."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        listed: dict[str, dict[str, Any]] = server.get("/info")["weights"]
        if listed:
            return listed["default"]
        time.sleep(0.2)
    raise AssertionError("the collection was not balanced")


def applied(server: Server, **more: Any) -> Any:
    return server.post("/search", {"query": QUERY, "mode": "hybrid", "explain": True, **more}).get("weights")


@pytest.fixture
def filled(tiny_server: Server) -> Server:
    tiny_server.put_documents(TEXTS)
    return tiny_server


def test_weights_are_estimated_shown_applied_and_outlive_a_crash(filled: Server) -> None:
    balance = weights(filled)
    assert (balance["source"], balance["queries"], balance["documents"]) == ("estimated", 60, 60)
    assert balance["dense"] + balance["keyword"] == pytest.approx(1)
    # The model is random, so words find more.
    assert balance["dense"] < balance["keyword"]
    named = {name: balance[name] for name in ("dense", "keyword", "source")}
    assert applied(filled) == named
    results = filled.search(QUERY, mode="hybrid", k=20)
    assert results == filled.search(
        QUERY, mode="hybrid", k=20, weights={"dense": named["dense"], "keyword": named["keyword"]}
    )
    assert results == [hit for page in range(4) for hit in filled.search(QUERY, mode="hybrid", k=5, offset=5 * page)]
    filled.kill()
    filled.start()
    assert filled.get("/info")["weights"] == {"default": balance}
    assert filled.search(QUERY, mode="hybrid", k=20) == results


def test_a_search_says_its_mode_and_weights(filled: Server) -> None:
    weights(filled)
    own = {"dense": 3, "keyword": 1}
    assert applied(filled, weights=own) == own | {"source": "request"}
    assert applied(filled, fusion="rank") == {"dense": 1, "keyword": 0.1, "source": "default"}
    assert applied(filled, explain=False) is None
    for mode in ("dense", "keyword"):
        answer = filled.post("/search", {"query": QUERY, "mode": mode, "explain": True})
        assert (answer["mode"], answer.get("weights")) == (mode, None)


def test_a_small_collection_has_the_default(tiny_server: Server) -> None:
    tiny_server.put_documents({"a": TEXTS["d1"], "b": TEXTS["d2"]})
    assert applied(tiny_server) == {"dense": 1, "keyword": 1, "source": "default"}


def test_each_generation_has_weights_of_its_own(filled: Server) -> None:
    before = weights(filled)
    assert filled.reload("two")["state"] == "done"
    after = filled.get("/info")["weights"]["default"]
    assert (after["source"], after["documents"]) == ("estimated", 60)
    listed = {each["generation"]: each["weights"] for each in filled.get("/admin/generations")["generations"]}
    assert listed == {1: {"default": before}, 2: {"default": after}}
    assert applied(filled, generation=1) == {name: before[name] for name in ("dense", "keyword", "source")}
    filled.post("/admin/rollback")
    assert filled.get("/info")["weights"] == {"default": before}


def test_weights_are_fitted_on_queries_that_train_and_proven_on_those_that_judge(filled: Server) -> None:
    judgements = [
        # The words of the question are those of its document, of which a random model knows nothing.
        {
            "query": f"{WARES[n % 5]} of lot {n}",
            "document": f"d{n}",
            "good": True,
            "side": "train" if n < 30 else "judge",
        }
        for n in range(60)
    ]
    filled._json(filled.client.put("/admin/judgements", json={"judgements": judgements}))
    assert filled.wait_for_job(filled.post("/admin/reload", {"model": "two", "force": True})["id"])["state"] == "done"
    balance = filled.get("/info")["weights"]["default"]
    assert (balance["source"], balance["queries"]) == ("fitted", 30)
    assert applied(filled)["source"] == "fitted"


def test_a_search_without_a_mode_is_hybrid_unless_its_least_score_is_a_cosine(filled: Server) -> None:
    def mode(server: Server, **more: Any) -> Any:
        return server.post("/search", {"query": QUERY, **more})["mode"]

    def documented(server: Server) -> Any:
        return server.get("/openapi.json")["components"]["schemas"]["SearchRequest"]["properties"]["mode"]["default"]

    # The tests' own setting.
    assert (mode(filled), mode(filled, min_score=0.1), documented(filled)) == ("dense", "dense", "dense")
    filled.stop()
    for default, with_min_score in (("hybrid", "dense"), ("keyword", "keyword")):
        filled.settings["MODE"] = default
        with filled as server:
            assert (mode(server), mode(server, mode=None), documented(server)) == (default,) * 3
            assert mode(server, min_score=0.1) == with_min_score
            assert mode(server, min_score=0.1, mode="hybrid") == "hybrid"
            logged = server.get("/admin/searches", params={"limit": 1})["searches"][0]
            assert logged["mode"] == "hybrid"
    filled.start()
    assert Settings().mode == "hybrid"
