"""Documents are counted and listed by a filter, and one is inspected; the sample comes into a service that runs."""

import pytest

from tests.support.server import Server

TEXTS = {"a": "red one", "b": "red two", "c": "green three", "d": "green four"}


@pytest.fixture
def colours(tiny_server: Server) -> Server:
    documents = [
        {"id": identity, "text": text, "metadata": {"colour": text.split()[0], "n": number}}
        for number, (identity, text) in enumerate(TEXTS.items())
    ]
    tiny_server.post("/documents", {"documents": documents})
    return tiny_server


def test_what_is_counted_by_a_filter_is_what_is_deleted_by_it(colours: Server) -> None:
    red = {"filter": {"colour": "red"}}
    count = colours.post("/documents/matching", {**red, "limit": 0})
    assert count == {"count": 2, "documents": [], "next": None}
    assert colours.post("/documents/delete", red) == {"deleted": 2}
    assert colours.post("/documents/matching", red) == {"count": 0, "documents": [], "next": None}
    assert colours.post("/documents/matching", {"filter": {"not": {"colour": "red"}}})["count"] == 2


def test_all_that_pass_a_filter_are_listed_page_by_page(colours: Server) -> None:
    body = {"filter": {"n": {"gte": 1}}, "limit": 2}
    first = colours.post("/documents/matching", body)
    assert (first["count"], [document["id"] for document in first["documents"]]) == (3, ["b", "c"])
    last = colours.post("/documents/matching", {**body, "cursor": first["next"]})
    assert (last["count"], [document["id"] for document in last["documents"]], last["next"]) == (3, ["d"], None)
    # What is deleted or replaced in between is not listed, and what is new comes last.
    colours.post("/documents", {"documents": [{"id": "c", "text": "green again", "metadata": {"n": 9}}]})
    rest = colours.post("/documents/matching", {**body, "cursor": first["next"]})
    assert [document["id"] for document in rest["documents"]] == ["d", "c"]


def test_a_document_is_inspected_with_its_nearest_neighbours_as_a_search_finds_them(colours: Server) -> None:
    inspected = colours.post("/documents/inspect", {"id": "a", "neighbours": 2})
    assert {name: inspected[name] for name in ("id", "text", "metadata")} == colours.get("/documents/a")
    assert inspected["windows"] == [[0, 7]]
    assert inspected["searchable"] == [0, 7]
    assert 0 < inspected["tokens"] <= inspected["max_length"]
    assert (inspected["generation"], inspected["model"]) == (1, colours.get("/info")["model"])
    hits = [hit for hit in colours.search("red one", mode="dense", k=4) if hit["id"] != "a"]
    assert [near["id"] for near in inspected["neighbours"]] == [hit["id"] for hit in hits[:2]]
    assert [near["score"] for near in inspected["neighbours"]] == pytest.approx(
        [hit["score"] for hit in hits[:2]], abs=1e-5
    )
    assert not colours.post("/documents/inspect", {"id": "a", "neighbours": 0})["neighbours"]


def test_a_long_document_is_inspected_with_its_windows(server: Server) -> None:
    text = "Hold both buttons to reset the scale. " * 100
    server.post("/documents", {"collection": "inspected", "documents": [{"id": "long", "text": text}]})
    inspected = server.post("/documents/inspect", {"id": "long", "collection": "inspected"})
    assert inspected["tokens"] > inspected["max_length"]
    assert len(inspected["windows"]) > 1
    assert inspected["searchable"] == [inspected["windows"][0][0], inspected["windows"][-1][1]]
    assert not inspected["neighbours"]
    server.client.delete("/collections/inspected")


def test_searches_are_listed_by_a_document_that_they_have_shown(colours: Server) -> None:
    name = colours.post("/search", {"query": "red one", "k": 1})["search"]
    colours.search("green four", k=1)
    listed = colours.get("/admin/searches", params={"document": "a"})["searches"]
    assert [search["id"] for search in listed] == [name]
    assert not colours.get("/admin/searches", params={"document": "a", "collection": "notes"})["searches"]


def test_the_sample_comes_into_an_empty_collection_alone(colours: Server) -> None:
    refused = colours.client.post("/admin/sample", json={})
    assert refused.status_code == 409
    assert "'default' has 4 documents" in refused.json()["error"]["message"]
    added = colours.post("/admin/sample", {"collection": "sample"})
    assert colours.get("/info")["collections"] == {"default": 4, "sample": added["documents"]}
    assert added["checkpoint"] in {listed["name"] for listed in colours.get("/admin/models")["models"]}


def test_looking_is_not_audited(colours: Server) -> None:
    colours.post("/documents/matching", {"filter": {"n": 1}})
    colours.post("/documents/inspect", {"id": "a"})
    colours.post("/documents/delete", {"ids": ["a"]})
    audited = [line for line in colours.output if "audit" in line]
    assert any("/documents/delete" in line for line in audited)
    assert not any("matching" in line or "inspect" in line for line in audited)
