"""LlamaIndex's own index, retriever and filters over the store. LlamaIndex has no standard tests for vector stores."""

import os
from uuid import uuid4

import pytest
from llama_index.core import Document, MockEmbedding, StorageContext, VectorStoreIndex
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQueryMode,
)

from instar.llama_index import SEARCH, InstarVectorStore

MODEL = MockEmbedding(embed_dim=1)
TEXTS = {"a": "error E-1043 means a missing tithe", "b": "the harbour is closed", "c": "the till closes at nine"}


def made() -> InstarVectorStore:
    return InstarVectorStore(os.environ["INSTAR_URL"], collection=uuid4().hex, key=os.environ["INSTAR_KEY"])


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


def test_modes_and_settings_of_a_search_are_passed_on(store: InstarVectorStore) -> None:
    words = index_of(store).as_retriever(similarity_top_k=3, vector_store_query_mode=VectorStoreQueryMode.TEXT_SEARCH)
    assert [hit.node.node_id for hit in words.retrieve("E-1043")] == ["a"]
    varied = index_of(store).as_retriever(similarity_top_k=2, vector_store_query_mode=VectorStoreQueryMode.MMR)
    assert len(varied.retrieve("closed")) == 2
    strict = index_of(store).as_retriever(similarity_top_k=3, vector_store_kwargs={"min_score": 0.99, "mode": "dense"})
    assert [hit.node.node_id for hit in strict.retrieve("the harbour is closed")] == ["b"]


@pytest.mark.parametrize(
    ("operator", "key", "value", "found"),
    [
        (FilterOperator.EQ, "n", 1, "b"),
        (FilterOperator.NE, "n", 1, "ac"),
        (FilterOperator.GTE, "n", 1, "bc"),
        (FilterOperator.LT, "n", 1, "a"),
        (FilterOperator.IN, "n", [0, 2], "ac"),
        (FilterOperator.NIN, "n", [0, 2], "b"),
        (FilterOperator.CONTAINS, "tags", "c", "c"),
        (FilterOperator.IS_EMPTY, "absent", None, "abc"),
    ],
)
def test_filters_are_those_of_instar(
    store: InstarVectorStore, operator: FilterOperator, key: str, value: object, found: str
) -> None:
    filters = MetadataFilters(filters=[MetadataFilter(key=key, value=value, operator=operator)])
    hits = index_of(store).as_retriever(similarity_top_k=3, filters=filters).retrieve("closed")
    assert sorted(hit.node.node_id for hit in hits) == sorted(found)
    assert sorted(node.node_id for node in store.get_nodes(filters=filters)) == sorted(found)


def test_filters_are_joined_and_one_that_is_not_there_is_told(store: InstarVectorStore) -> None:
    first, last = (MetadataFilter(key="n", value=n) for n in (0, 2))
    for condition, found in ((FilterCondition.OR, "ac"), (FilterCondition.AND, ""), (FilterCondition.NOT, "b")):
        filters = MetadataFilters(filters=[first, last], condition=condition)
        assert sorted(node.node_id for node in store.get_nodes(filters=filters)) == sorted(found)
    with pytest.raises(ValueError, match="Instar has no filter text_match"):
        store.get_nodes(
            filters=MetadataFilters(filters=[MetadataFilter(key="n", value="x", operator=FilterOperator.TEXT_MATCH)])
        )


def test_many_nodes_are_written_and_one_that_is_refused_is_named() -> None:
    store = made()
    nodes = [TextNode(id_=f"n{number}", text=f"the text {number}") for number in range(300)]
    assert store.add(nodes) == [node.node_id for node in nodes]
    with pytest.raises(Exception, match="the document 'blank' was refused, and those after it were not sent"):
        store.add([TextNode(id_="more", text="one more"), TextNode(id_="blank", text=" ")])
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
