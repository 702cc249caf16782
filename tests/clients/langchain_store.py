"""LangChain's own standard tests for vector stores, and what they do not ask."""

import asyncio
import datetime
import os
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import VectorStoreIntegrationTests

from instar.client import Instar, Refused
from instar.langchain import InstarVectorStore


def made() -> InstarVectorStore:
    return InstarVectorStore(os.environ["INSTAR_URL"], collection=uuid4().hex, key=os.environ["INSTAR_KEY"], new=True)


class TestStandard(VectorStoreIntegrationTests):  # type: ignore[misc]
    @pytest.fixture
    def vectorstore(self) -> VectorStore:
        return made()


def test_searches_go_as_they_are_asked() -> None:
    store = made()
    texts = ["error E-1043 means a missing tithe", "error E-1043 means a missing tithe", "the harbour is closed"]
    ids = store.add_texts(texts, [{"n": 1}, {"n": 2}, {"n": 3}], ids=["a/1", None, "c"])
    assert (ids[0], ids[2]) == ("a/1", "c")
    (found,) = store.similarity_search("E-1043", mode="keyword", filter={"n": 1})
    assert (found.id, found.metadata) == ("a/1", {"n": 1})
    assert store.get_by_ids(["a/1", "none"]) == [found]
    assert [hit.id for hit in store.max_marginal_relevance_search("error", k=2, lambda_mult=0.3)] == ["a/1", "c"]
    ((_, score),) = store.similarity_search_with_relevance_scores("the harbour is closed", k=1)
    assert score == pytest.approx(1, abs=1e-3)
    retriever = store.as_retriever(search_kwargs={"k": 1, "mode": "hybrid"})
    assert [hit.id for hit in retriever.invoke("harbour")] == ["c"]
    assert store.delete()
    assert store.similarity_search("harbour") == []


def test_a_filter_deletes_what_passes_and_nothing_else() -> None:
    store = made()
    store.add_texts(["one", "two", "three"], [{"n": 1}, {"n": 2}, {"n": 3}], ids=["a", "b", "c"])
    assert store.delete(filter={"n": {"lt": 3}})
    assert [document.id for document in store.get_by_ids(["a", "b", "c"])] == ["c"]
    for which in ({"where": {"n": 3}}, {"filter": None}, {"ids": ["c"], "filter": {"n": 1}}):
        with pytest.raises(Exception, match="ids or"):
            store.delete(**which)
    assert [document.id for document in store.get_by_ids(["c"])] == ["c"]


def test_a_document_with_a_date_is_named_before_any_is_written() -> None:
    store = made()
    texts = [f"the text {number}" for number in range(200)]
    with pytest.raises(Exception, match=r"the document 't199' cannot be sent, and none was: metadata.at is no JSON"):
        store.add_texts(
            texts,
            [{} for _ in texts[1:]] + [{"at": datetime.date(2026, 5, 6)}],
            ids=[f"t{number}" for number in range(200)],
        )
    assert store.get_by_ids(["t0"]) == []


async def test_searches_over_asyncio_hold_no_event_loop_up(monkeypatch: pytest.MonkeyPatch) -> None:
    store, released = made(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def search(**_: object) -> dict[str, list[object]]:
        # It ends only if the loop runs meanwhile.
        asyncio.run_coroutine_threadsafe(released.wait(), loop).result(10)
        return {"results": []}

    monkeypatch.setattr(store.client, "search", search)
    searching = asyncio.create_task(store.asimilarity_search("harbour"))
    await asyncio.sleep(0.05)
    released.set()
    assert await searching == []


def test_many_texts_are_written_in_their_order_and_one_that_is_refused_is_named() -> None:
    store = made()
    names = [f"t{number}" for number in range(300)]
    assert store.add_texts([f"the text {name}" for name in names], ids=names) == names
    with pytest.raises(Exception, match=r"the document 'blank' was refused, and those after it were not sent"):
        store.add_texts(["one more", " ", "the last"], ids=["more", "blank", "last"])
    assert [document.id for document in store.get_by_ids(["t299", "more", "blank", "last"])] == ["t299", "more"]
    assert store.delete()
    assert store.get_by_ids(names[:3]) == []


def test_a_proxy_whose_service_is_away_empties_no_answer() -> None:
    store = made()
    away = httpx.MockTransport(lambda _: httpx.Response(404, text="404 page not found"))
    store.client = Instar("http://there", transport=away)
    asked: list[Callable[[], object]] = [lambda: store.get_by_ids(["a"]), lambda: store.similarity_search("harbour")]
    for ask in asked:
        with pytest.raises(Refused, match="404"):
            ask()


def test_a_mistyped_collection_is_told_from_an_empty_one() -> None:
    made().add_texts(["a text"])
    mistyped = InstarVectorStore(os.environ["INSTAR_URL"], collection=uuid4().hex, key=os.environ["INSTAR_KEY"])
    with pytest.raises(Exception, match="there is no collection"):
        mistyped.similarity_search("a text")
    assert made().similarity_search("a text") == []


def test_feedback_is_sent_under_the_search_that_found_the_documents() -> None:
    plain = made()
    plain.add_texts(["the harbour is closed", "the till closes at nine"], ids=["a", "b"])
    store = InstarVectorStore(
        os.environ["INSTAR_URL"], collection=plain._collection, key=os.environ["INSTAR_KEY"], noted=True
    )
    documents = store.as_retriever(search_kwargs={"k": 2}).invoke("is the harbour open")
    store.feedback("cite", documents)
    store.feedback("good", documents, answer=True)
    store.feedback("bad", documents[1:], user="ann", note="it is no till")
    (search,) = store.client._client.get("/admin/searches", params={"limit": 1}).json()["searches"]
    assert {document.metadata["instar_search"] for document in documents} == {search["id"]}
    assert search["query"] == "is the harbour open"
    others = [plain.similarity_search("harbour"), documents + store.similarity_search("harbour")]
    for unknown in ([], *others):
        with pytest.raises(ValueError, match="documents of one search"):
            store.feedback("good", unknown)
    with pytest.raises(Exception, match="value must be the seconds"):
        store.feedback("dwell", documents[:1])


@pytest.mark.parametrize("how", [{"model": "none"}, {"generation": 99}, {"rerank": {"model": "none"}}])
def test_a_search_that_names_what_is_not_there_is_no_empty_one(how: dict[str, Any]) -> None:
    store = made()
    store.add_texts(["a text"])
    with pytest.raises(Refused) as refused:
        store.similarity_search("a text", **how)
    assert refused.value.status == 404


def test_errors_say_what_to_do() -> None:
    with pytest.raises(Exception, match="k must be 1 to 1000"):
        made().similarity_search("a", k=1001)
