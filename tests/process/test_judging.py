"""The gate: a checkpoint that is worse on the judged queries does not come to answer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service import ranking
from service.api.schemas.search import SearchRequest
from service.reload.judged_queries import UNJUDGED
from service.search.retrieval import SearchSpec
from service.settings.groups import Gate
from tests.support.judging import QUERIES, TEXTS, add, firsts, judged_by, judgement, listed, put
from tests.support.server import Server


def linked(folder: Path, checkpoints: Path, **settings: Any) -> Server:
    """A service that can reload from `one` to `two`."""
    server = Server(folder, MODEL="one", **settings)
    server.checkpoints.mkdir()
    for name in ("one", "two"):
        (server.checkpoints / name).symlink_to(checkpoints / name)
    return server


def test_a_worse_checkpoint_is_refused_and_force_activates_it(filled: Server) -> None:
    server = filled
    put(server, judged_by(server))
    before = server.state()
    job = server.reload("two")
    assert (job["state"], job["generation"]) == ("refused", None)
    judged = job["judged"]
    assert judged["queries"] == len(QUERIES)
    perfect: dict[str, Any] = {"ndcg": 1.0, "recall": 1.0, "good_above_bad": 1.0, "condensed": 1.0, "unjudged": 5.0}
    assert judged["active"] == perfect | {"ndcg_interval": [1.0, 1.0], "recall_interval": [1.0, 1.0]}
    low, high = judged["building"]["ndcg_interval"]
    assert 0 <= low <= judged["building"]["ndcg"] <= high <= 1
    assert judged["building"]["ndcg"] < 0.9
    assert judged["building"]["ndcg"] <= judged["building"]["condensed"] <= 1
    assert 5 <= judged["building"]["unjudged"] <= 9
    low, high = judged["interval"]
    assert low <= judged["building"]["ndcg"] - 1 <= high <= 0
    assert judged["mode"] == "dense"
    for figure in (f"{judged['building']['ndcg']:.3f} after 1.000", f"the {len(QUERIES)} judged queries", "force"):
        assert figure in job["reason"]
    assert server.state() == before
    forced = server.wait_for_job(server.post("/admin/reload", {"model": "two", "force": True})["id"])
    assert (forced["state"], forced["judged"]) == ("done", judged)
    (warning,) = forced["warnings"]
    assert warning.startswith("force lets it answer all the same: two@")
    assert warning in "".join(server.output)
    assert server.get("/info")["warnings"] == [warning]


def test_a_refusal_names_the_queries_that_got_worst_and_the_log_does_not(filled: Server) -> None:
    server = filled
    put(server, judged_by(server))
    job = server.reload("two")
    judged = job["judged"]
    worst = judged["worst"]
    assert len(worst) == min(judged["worse"], 10)
    assert judged["better"] == 0
    assert [each["building"] - each["active"] for each in worst] == sorted(
        each["building"] - each["active"] for each in worst
    )
    assert worst[0]["building"] < worst[0]["active"] == 1
    head, tail = job["reason"].split("\n")
    assert tail.startswith(f"{judged['worse']} of {len(QUERIES)} queries got worse, most of all ")
    for place, each in enumerate(worst):
        named = f"{each['query']!r} ({each['building']:.3f} after {each['active']:.3f})"
        assert (named in tail) == (place < 3)
    output = "".join(server.output)
    assert head in output
    assert not any(query in output for query in QUERIES)
    # The figures are those of the searches.
    server.wait_for_job(server.post("/admin/reload", {"model": "two", "force": True})["id"])
    good = {each["query"]: {each["document"]} for each in listed(server) if each["good"]}
    for each in worst:
        after = [hit["id"] for hit in server.search(each["query"])]
        assert each["building"] == pytest.approx(ranking.ndcg(after, good[each["query"]]))


def test_long_queries_are_cut_where_they_are_named(filled: Server) -> None:
    server = filled
    queries = [f"{query}\n of\t" * 30 for query in QUERIES]
    put(server, [judgement(query, server.search(query, k=1)[0]["id"]) for query in queries])
    job = server.reload("two")
    assert job["state"] == "refused"
    query = job["judged"]["worst"][0]["query"]
    assert query in queries
    assert len(job["reason"].split("\n")) == 2
    assert f"'{' '.join(query.split())[:80]}…'" in job["reason"]


def test_a_reload_without_judgements_says_so_wherever_one_looks(filled: Server) -> None:
    server = filled
    assert server.get("/info")["warnings"] == []
    job = server.reload("two")
    assert (job["state"], job["judged"]) == ("done", None)
    assert job["warnings"] == [UNJUDGED]
    assert UNJUDGED in "".join(server.output)
    assert server.get("/info")["warnings"] == [UNJUDGED]
    assert server.get("/admin/generations")["generations"][0]["warnings"] == [UNJUDGED]
    server.stop()
    server.start()
    assert server.get("/info")["warnings"] == [UNJUDGED]
    server.post("/admin/rollback")
    assert server.get("/info")["warnings"] == []


def test_a_reload_with_nothing_to_judge_by_is_refused_before_it_embeds_unless_forced(filled: Server) -> None:
    server = filled
    put(server, [judgement(query, f"d{n}", collection="dfeault") for n, query in enumerate(QUERIES)])
    before = server.state()
    job = server.reload("two")
    assert (job["state"], job["judged"], job["total"]) == ("refused", None, 0)
    for said in ("none of the judgements (12)", "in the corpus", "PUT /admin/judgements", "force"):
        assert said in job["reason"]
    assert server.state() == before
    forced = server.wait_for_job(server.post("/admin/reload", {"model": "two", "force": True})["id"])
    assert (forced["state"], forced["judged"]) == ("done", None)
    assert "none of the judgements (12)" in server.get("/info")["warnings"][0]


def test_judgements_that_do_not_count_are_counted(filled: Server) -> None:
    server = filled
    judgements = judged_by(server)
    put(server, [*judgements, judgement("a", "gone"), judgement("b", "gone")])
    job = server.wait_for_job(server.post("/admin/reload", {"model": "two", "force": True})["id"])
    assert (job["judged"]["queries"], job["judged"]["unresolved"]) == (len(QUERIES), 2)
    assert job["warnings"][0].startswith(f"2 of {len(judgements) + 2} judgements did not count")


def test_the_figures_are_those_of_the_searches(filled: Server) -> None:
    server = filled
    good = {query: {f"d{n}", f"d{n + 20}", f"d{n + 40}"} for n, query in enumerate(QUERIES)}
    bad = {query: {f"d{n + 7}", f"d{n + 14}"} for n, query in enumerate(QUERIES)}
    put(
        server,
        [judgement(query, each) for query, ids in good.items() for each in ids]
        + [judgement(query, each, good=False) for query, ids in bad.items() for each in ids],
    )
    job = server.wait_for_job(server.post("/admin/reload", {"model": "two", "force": True})["id"])
    for name in ("building", "active"):
        found = {query: [hit["id"] for hit in server.search(query)] for query in QUERIES}
        assert job["judged"][name]["ndcg"] == pytest.approx(
            np.mean([ranking.ndcg(found[query], good[query]) for query in QUERIES])
        )
        assert job["judged"][name]["recall"] == pytest.approx(
            np.mean([ranking.recall(found[query], good[query], 10) for query in QUERIES])
        )
        pairs = []
        for query in QUERIES:
            scores = {hit["id"]: hit["score"] for hit in server.search(query, k=len(TEXTS))}
            pairs += [scores[one] > scores[other] for one in good[query] for other in bad[query]]
        assert job["judged"][name]["good_above_bad"] == pytest.approx(np.mean(pairs))
        server.client.post("/admin/rollback")


def test_by_default_models_are_judged_by_vector_alone() -> None:
    spec = SearchSpec(k=1, collection="default")
    fields = SearchRequest.model_fields
    assert Gate().mode == spec.mode == "dense"
    assert (spec.fusion, spec.weights) == (fields["fusion"].default, fields["weights"].default)


def test_the_mode_of_the_searches_is_a_setting(tmp_path: Path, tiny_checkpoints: Path) -> None:
    server = linked(tmp_path, tiny_checkpoints, GATE__MODE="hybrid")
    with server:
        server.put_documents(TEXTS)
        # A query of words that no document has is found by its vector alone.
        good = {query: {f"d{n}", f"d{n + 20}"} for n, query in enumerate([*QUERIES, "nowhere"])}
        put(server, [judgement(query, each) for query, ids in good.items() for each in ids])
        job = server.wait_for_job(server.post("/admin/reload", {"model": "two", "force": True})["id"])
        judged = job["judged"]
        assert (judged["mode"], judged["queries"]) == ("hybrid", len(good))
        for name in ("building", "active"):
            found = {query: [hit["id"] for hit in server.search(query, mode="hybrid")] for query in good}
            deeper = {query: [hit["id"] for hit in server.search(query, mode="hybrid", k=100)] for query in good}
            assert judged[name]["ndcg"] == pytest.approx(
                np.mean([ranking.ndcg(found[query], good[query]) for query in good])
            )
            condensed = {query: [each for each in deeper[query] if each in ids] for query, ids in good.items()}
            assert judged[name]["condensed"] == pytest.approx(
                np.mean([ranking.ndcg(condensed[query], good[query]) for query in good])
            )
            assert judged[name]["unjudged"] == pytest.approx(
                np.mean([len(set(found[query]) - good[query]) for query in good])
            )
            server.client.post("/admin/rollback")


def test_a_loss_that_is_allowed_is_refused_beyond_doubt(tmp_path: Path, tiny_checkpoints: Path) -> None:
    with linked(tmp_path, tiny_checkpoints, GATE__MAX_LOSS=0.99) as server:
        server.put_documents(TEXTS)
        # What is found first is good, and no two queries have that in common.
        answers: dict[str, str] = {}
        for query in [f"{word} {n}" for word in ("report", "ward", "section", "part", "the") for n in range(40)]:
            answers.setdefault(server.search(query, k=1)[0]["id"], query)
        judgements = [judgement(query, document) for document, query in answers.items()]
        put(server, judgements)
        job = server.reload("two")
        judged = job["judged"]
        assert judged["interval"][1] < 0
        assert judged["p"] < 0.05
        assert (job["state"], job["generation"]) == ("refused", None)
        for said in ("which is no chance", "these queries can show a difference of", "force"):
            assert said in job["reason"]


def test_a_better_checkpoint_passes(filled: Server) -> None:
    server = filled
    assert server.reload("two")["state"] == "done"
    put(server, judged_by(server))
    server.post("/admin/rollback")
    job = server.reload("two")
    assert job["state"] == "done"
    assert job["judged"]["building"]["ndcg"] == 1.0
    assert job["judged"]["active"]["ndcg"] < 0.9


def test_only_documents_that_are_there_are_judged(filled: Server) -> None:
    server = filled
    found = firsts(server)
    put(
        server,
        [judgement(query, document, collection="elsewhere") for query, document in found.items()]
        + [judgement(query, "never written") for query in QUERIES]
        + [judgement("only bad ones", document, good=False) for document in found.values()],
    )
    job = server.reload("two")
    assert (job["state"], job["judged"]) == ("refused", None)
    assert "says of a document in the corpus that it is good" in job["reason"]
    # Once they are written, they count.
    server.put_documents({identity: TEXTS[identity] for identity in found.values()}, collection="elsewhere")
    job = server.wait_for_job(server.post("/admin/reload", {"model": "two", "force": True})["id"])
    assert job["judged"]["queries"] == len(QUERIES)


def test_the_loss_that_is_allowed_is_a_setting(tmp_path: Path, tiny_checkpoints: Path) -> None:
    with linked(tmp_path, tiny_checkpoints, GATE__MAX_LOSS=1) as server:
        server.put_documents(TEXTS)
        put(server, judged_by(server))
        job = server.reload("two")
        assert job["state"] == "done"
        assert job["judged"]["building"]["ndcg"] < job["judged"]["active"]["ndcg"]


def test_a_judgement_of_another_text_is_stale_and_judges_nothing_until_it_is_confirmed(filled: Server) -> None:
    server = filled
    judgements = judged_by(server)
    put(server, judgements)
    good = {each["document"] for each in judgements if each["good"]}
    server.put_documents({each["document"]: f"{TEXTS[each['document']]}, changed" for each in judgements})
    assert len(listed(server, stale=True)) == len(judgements)
    job = server.reload("two")
    assert (job["state"], job["judged"], job["total"]) == ("refused", None, 0)
    assert f"{len(judgements)} are of texts that have changed" in job["reason"]
    assert "stale=true" in job["reason"]
    add(server, [each for each in judgements if each["good"]])
    assert {each["document"] for each in listed(server, stale=False)} == good
    job = server.wait_for_job(server.post("/admin/reload", {"model": "two", "force": True})["id"])
    assert job["judged"]["queries"] == len(QUERIES)
    assert "judgements did not count, because their documents have other texts now" in job["warnings"][0]
