"""LlamaIndex's own index, retriever and filters over the store. LlamaIndex has no standard tests for vector stores."""

import asyncio
import inspect
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import httpx
import pytest
from llama_index.core import Document, MockEmbedding, SimpleDirectoryReader, StorageContext, VectorStoreIndex
from llama_index.core.indices.vector_store import VectorIndexRetriever
from llama_index.core.schema import IndexNode, MetadataMode, TextNode
from llama_index.core.vector_stores.types import (
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)

from instar.client import AsyncInstar, Instar, Refused, results_of
from instar.client.loops import EachLoop
from instar.llama_index import SEARCH, InstarVectorStore
from instar.llama_index.queries import search_of

MODEL = MockEmbedding(embed_dim=1)
TEXTS = {"a": "error E-1043 means a missing tithe", "b": "the harbour is closed", "c": "the till closes at nine"}


def made(*, new: bool = False) -> InstarVectorStore:
    return InstarVectorStore(os.environ["INSTAR_URL"], collection=uuid4().hex, key=os.environ["INSTAR_KEY"], new=new)


@pytest.fixture
def store() -> InstarVectorStore:
    store = made()
    store.add(
        [
            TextNode(id_=name, text=text, metadata={"n": n, "tags": [name]})
            for n, (name, text) in enumerate(TEXTS.items())
        ]
    )
    return store


def index_of(store: InstarVectorStore) -> VectorStoreIndex:
    return VectorStoreIndex.from_vector_store(store, embed_model=MODEL)


def test_an_index_of_documents_is_written_searched_and_deleted_by_document() -> None:
    store = made()
    documents = [Document(doc_id=f"doc-{name}", text=text) for name, text in TEXTS.items()]
    index = VectorStoreIndex.from_documents(
        documents, storage_context=StorageContext.from_defaults(vector_store=store), embed_model=MODEL
    )
    (best,) = index.as_retriever(similarity_top_k=1).retrieve("is the harbour open?")
    assert (best.node.get_content(), best.node.ref_doc_id) == (TEXTS["b"], "doc-b")
    assert best.score is not None
    assert best.node.metadata[SEARCH]
    index.delete_ref_doc("doc-b")
    assert {node.ref_doc_id for node in store.get_nodes()} == {"doc-a", "doc-c"}


async def test_an_empty_file_does_not_end_the_writing_of_the_others(tmp_path: Path) -> None:
    for name, text in {"a.txt": "", "b.txt": " \n", "c.txt": TEXTS["c"]}.items():
        (tmp_path / name).write_text(text)
    store = made()
    documents = SimpleDirectoryReader(str(tmp_path)).load_data()
    context = StorageContext.from_defaults(vector_store=store)
    VectorStoreIndex.from_documents(documents, storage_context=context, embed_model=MODEL)
    assert [node.get_content() for node in store.get_nodes()] == [TEXTS["c"]]
    assert store.add([TextNode(id_="blank"), TextNode(id_="more", text="one more")]) == ["blank", "more"]
    assert await store.async_add([TextNode(id_="blank")]) == ["blank"]
    assert len(store.get_nodes()) == 2


def test_modes_and_settings_of_a_search_are_passed_on(store: InstarVectorStore) -> None:
    words = index_of(store).as_retriever(similarity_top_k=3, vector_store_query_mode=VectorStoreQueryMode.TEXT_SEARCH)
    assert [hit.node.node_id for hit in words.retrieve("E-1043")] == ["a"]
    for kwargs in ({}, {"mmr_threshold": 0.3, "mmr_prefetch_factor": 4}):
        varied = index_of(store).as_retriever(
            similarity_top_k=2, vector_store_query_mode=VectorStoreQueryMode.MMR, vector_store_kwargs=kwargs
        )
        assert len(varied.retrieve("closed")) == 2
    strict = index_of(store).as_retriever(similarity_top_k=3, vector_store_kwargs={"min_score": 0.99, "mode": "dense"})
    assert [hit.node.node_id for hit in strict.retrieve("the harbour is closed")] == ["b"]


def test_the_threshold_of_mmr_says_how_unlike_nodes_are_to_be() -> None:
    def diversity(query: VectorStoreQuery, **how: Any) -> object:
        request = search_of(query, "c", how)
        return None if request is None else request.get("diversity")

    varied = VectorStoreQuery(query_str="closed", mode=VectorStoreQueryMode.MMR)
    assert diversity(varied) == 0.5
    varied.mmr_threshold = 0.25
    assert diversity(varied) == 0.75
    assert diversity(varied, mmr_threshold=0.0) == 1
    assert diversity(varied, mmr_threshold=0.0, diversity=0.1) == 0.1
    assert search_of(VectorStoreQuery(query_str="closed"), "c", {"mmr_threshold": 0.3}) == search_of(
        VectorStoreQuery(query_str="closed"), "c", {}
    )


def of_documents(store: InstarVectorStore) -> VectorStoreIndex:
    return VectorStoreIndex.from_documents(
        [Document(doc_id=f"doc-{name}", text=text, metadata={"name": name}) for name, text in TEXTS.items()],
        storage_context=StorageContext.from_defaults(vector_store=store),
        embed_model=MODEL,
    )


def test_a_search_among_documents_searches_no_others() -> None:
    index = of_documents(made())
    for chosen in (["doc-a"], ["doc-a", "doc-c"], [*(f"doc-{number}" for number in range(2500)), "doc-c"], []):
        retriever = index.as_retriever(similarity_top_k=3, doc_ids=chosen)
        expected = {"doc-a", "doc-b", "doc-c"}.intersection(chosen)
        assert {hit.node.ref_doc_id for hit in retriever.retrieve("is the harbour open?")} == expected
    only_c = MetadataFilters(filters=[MetadataFilter(key="name", value="c")])
    for options in ({"filters": only_c}, {"vector_store_kwargs": {"filter": {"name": "c"}}}):
        retriever = index.as_retriever(similarity_top_k=3, doc_ids=["doc-a", "doc-c"], **options)
        assert [hit.node.ref_doc_id for hit in retriever.retrieve("is the harbour open?")] == ["doc-c"]


def test_a_search_among_nodes_searches_no_others(store: InstarVectorStore) -> None:
    for chosen in (["a"], ["a", "c", "none"]):
        retriever = VectorIndexRetriever(index_of(store), similarity_top_k=3, node_ids=chosen)
        hits = retriever.retrieve("is the harbour open?")
        assert {hit.node.node_id for hit in hits} == {"a", "c"}.intersection(chosen)
        assert all("_node_id" not in hit.node.metadata for hit in hits)


def test_an_index_of_index_nodes_passes_their_ids_and_none_searches_all(store: InstarVectorStore) -> None:
    index = index_of(store)
    index.insert_nodes([IndexNode(id_="d", text="a page about harbours", index_id="d")])
    assert [hit.node.node_id for hit in index.as_retriever(similarity_top_k=9).retrieve("harbour")] == ["d"]
    hits = VectorIndexRetriever(index, similarity_top_k=9).retrieve("harbour")
    assert {hit.node.node_id for hit in hits} == {"a", "b", "c", "d"}


def test_alpha_weighs_the_parts_of_a_hybrid_search(store: InstarVectorStore) -> None:
    def first(alpha: float) -> tuple[str, int]:
        hybrid = index_of(store).as_retriever(
            vector_store_query_mode=VectorStoreQueryMode.HYBRID, alpha=alpha, similarity_top_k=3, hybrid_top_k=1
        )
        hits = hybrid.retrieve("closes E-1043")
        return hits[0].node.node_id, len(hits)

    modes: tuple[tuple[float, Literal["keyword", "dense"]], ...] = ((0.0, "keyword"), (1.0, "dense"))
    for alpha, mode in modes:
        alone = store.client.search(query="closes E-1043", collection=store.collection, mode=mode, k=1)
        assert first(alpha) == (results_of(alone)[0]["id"], 1)


def test_nodes_that_are_named_and_pass_are_read_and_deleted(store: InstarVectorStore) -> None:
    early = MetadataFilters(filters=[MetadataFilter(key="n", value=1, operator=FilterOperator.LTE)])
    assert {node.node_id for node in store.get_nodes(node_ids=["b", "c"], filters=early)} == {"b"}
    many = [f"n{number}" for number in range(2500)]
    assert {node.node_id for node in store.get_nodes(node_ids=[*many, "b"], filters=early)} == {"b"}
    assert store.get_nodes(node_ids=[], filters=early) == []
    store.delete_nodes(node_ids=[], filters=early)
    asked: list[str] = []
    store.client._client.event_hooks = {"request": [lambda request: asked.append(request.url.path)]}
    store.delete_nodes(node_ids=["b", "c"], filters=early)
    assert asked == ["/documents/delete"]
    assert {node.node_id for node in store.get_nodes()} == {"a", "c"}


def test_many_nodes_are_written_and_one_that_is_refused_is_named() -> None:
    store = made()
    nodes = [TextNode(id_=f"n{number}", text=f"the text {number}") for number in range(300)]
    assert store.add(nodes) == [node.node_id for node in nodes]
    with pytest.raises(Exception, match=r"the document 'blank' was refused, and those after it were not sent"):
        store.add([TextNode(id_="more", text="one more"), IndexNode(id_="blank", text=" ", index_id="other")])
    assert len(store.get_nodes()) == 301
    store.clear()
    assert store.get_nodes() == []


def test_nodes_are_read_and_deleted_by_id(store: InstarVectorStore) -> None:
    assert [node.get_content() for node in store.get_nodes(node_ids=["b", "none"])] == [TEXTS["b"]]
    store.delete_nodes(node_ids=["b"])
    assert store.get_nodes(node_ids=["b"]) == []
    store.clear()
    store.clear()
    assert store.client.info()["collections"].get(store.collection) is None


def test_feedback_names_the_search(store: InstarVectorStore) -> None:
    (best,) = index_of(store).as_retriever(similarity_top_k=1).retrieve("is the harbour open?")
    sent = store.client.feedback(
        {"action": "good", "search": best.node.metadata[SEARCH], "document": best.node.node_id}
    )
    assert sent == {"accepted": 1, "repeated": 0}


def test_no_prompt_and_no_reranker_reads_the_id_of_the_search(store: InstarVectorStore) -> None:
    store.client.write(documents=[{"id": "d", "text": "a harbour of others"}], collection=store.collection)
    for hit in index_of(store).as_retriever(similarity_top_k=4).retrieve("is the harbour open?"):
        assert SEARCH in hit.node.metadata
        for mode in (MetadataMode.LLM, MetadataMode.EMBED):
            assert SEARCH not in hit.node.get_content(metadata_mode=mode)


async def test_all_is_done_over_asyncio_too() -> None:
    store = made()
    early = MetadataFilters(filters=[MetadataFilter(key="n", value=1, operator=FilterOperator.LTE)])
    nodes = [TextNode(id_=name, text=text, metadata={"n": n}) for n, (name, text) in enumerate(TEXTS.items())]
    assert await store.async_add(nodes) == ["a", "b", "c"]
    (best,) = await index_of(store).as_retriever(similarity_top_k=1).aretrieve("is the harbour open?")
    assert best.node.node_id == "b"
    assert best.node.metadata[SEARCH]
    among = await store.aquery(VectorStoreQuery(query_str="harbour", similarity_top_k=3, node_ids=["a"]))
    assert among.ids == ["a"]
    assert (await store.aquery(VectorStoreQuery(query_str="harbour", doc_ids=[]))).ids == []
    assert {node.node_id for node in await store.aget_nodes()} == {"a", "b", "c"}
    assert [node.node_id for node in await store.aget_nodes(node_ids=["c", "none"])] == ["c"]
    assert {node.node_id for node in await store.aget_nodes(filters=early)} == {"a", "b"}
    assert [node.node_id for node in await store.aget_nodes(node_ids=["b", "c"], filters=early)] == ["b"]
    await store.adelete_nodes(node_ids=["b", "c"], filters=early)
    await store.adelete_nodes(filters=early)
    await store.adelete_nodes(node_ids=["none"])
    assert [node.node_id for node in await store.aget_nodes()] == ["c"]
    await store.aclear()
    assert await store.aget_nodes() == []
    await store.adelete("none")


def test_one_store_serves_one_event_loop_after_another() -> None:
    store = made()
    index = of_documents(store)
    asyncio.run(index.adelete_ref_doc("doc-b"))
    assert {node.ref_doc_id for node in asyncio.run(store.aget_nodes())} == {"doc-a", "doc-c"}


async def test_a_mistyped_collection_is_told_from_an_empty_one() -> None:
    query = VectorStoreQuery(query_str="harbour", similarity_top_k=3)
    mistyped = made()
    with pytest.raises(Refused, match="there is no collection"):
        mistyped.query(query)
    with pytest.raises(Refused, match="there is no collection"):
        await mistyped.aquery(query)
    new = made(new=True)
    assert new.query(query).ids == (await new.aquery(query)).ids == []
    with pytest.raises(Refused, match="none"):
        new.query(query, model="none")
    emptied = made()
    emptied.add([TextNode(text="the harbour is closed")])
    emptied.clear()
    assert index_of(emptied).as_retriever().retrieve("harbour") == []


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.delete("doc-a"),
        lambda store: store.adelete("doc-a"),
        lambda store: store.delete_nodes(["a"]),
        lambda store: store.adelete_nodes(["a"]),
        lambda store: store.get_nodes(["a"]),
        lambda store: store.aget_nodes(["a"]),
    ],
)
async def test_a_proxy_whose_service_is_away_loses_no_deletion_and_empties_no_answer(
    ask: Callable[[InstarVectorStore], Any],
) -> None:
    away = httpx.MockTransport(lambda _: httpx.Response(404, text="404 page not found"))
    store = made()
    store._client = Instar("http://there", transport=away)
    store._clients = EachLoop(lambda: AsyncInstar("http://there", transport=away))

    async def asked() -> None:
        if inspect.isawaitable(answer := ask(store)):
            await answer

    with pytest.raises(Refused, match="404"):
        await asked()


async def test_a_slow_service_holds_no_event_loop_up() -> None:
    async def answer(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.3)
        return httpx.Response(200, json={"results": []})

    store = made()
    store._clients = EachLoop(lambda: AsyncInstar("http://there", transport=httpx.MockTransport(answer)))
    began = time.monotonic()
    await asyncio.gather(*(store.aquery(VectorStoreQuery(query_str="harbour")) for _ in range(20)))
    assert time.monotonic() - began < 3
