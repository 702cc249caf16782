"""Filters of LlamaIndex in the words of Instar: each passes what LlamaIndex says, in searches, reads and deletions."""

import os
from uuid import uuid4

import pytest
from llama_index.core import MockEmbedding, VectorStoreIndex
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
)

from instar.llama_index import InstarVectorStore

TEXTS = {"a": "error E-1043 means a missing tithe", "b": "the harbour is closed", "c": "the till closes at nine"}
EMPTY = MetadataFilters(filters=[])


@pytest.fixture
def store() -> InstarVectorStore:
    store = InstarVectorStore(os.environ["INSTAR_URL"], collection=uuid4().hex, key=os.environ["INSTAR_KEY"])
    nodes = [
        TextNode(id_=name, text=text, metadata={"n": n, "tags": [name]}) for n, (name, text) in enumerate(TEXTS.items())
    ]
    store.add(nodes)
    return store


def index_of(store: InstarVectorStore) -> VectorStoreIndex:
    return VectorStoreIndex.from_vector_store(store, embed_model=MockEmbedding(embed_dim=1))


def one(key: str, value: object, operator: FilterOperator) -> MetadataFilters:
    return MetadataFilters(filters=[MetadataFilter(key=key, value=value, operator=operator)])


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
        (FilterOperator.IN, "n", [], ""),
        (FilterOperator.ANY, "tags", [], ""),
        (FilterOperator.NIN, "n", [], "abc"),
        (FilterOperator.IN, "n", [*range(1, 2500)], "bc"),
        (FilterOperator.NIN, "n", [*range(1, 2500)], "a"),
    ],
)
def test_filters_are_those_of_instar(
    store: InstarVectorStore, operator: FilterOperator, key: str, value: object, found: str
) -> None:
    filters = one(key, value, operator)
    hits = index_of(store).as_retriever(similarity_top_k=3, filters=filters).retrieve("closed")
    assert sorted(hit.node.node_id for hit in hits) == sorted(found)
    assert sorted(node.node_id for node in store.get_nodes(filters=filters)) == sorted(found)


def test_a_field_is_empty_that_is_not_there_null_or_without_a_character(store: InstarVectorStore) -> None:
    fields = {"null": None, "blank": "", "zero": 0, "false": False, "full": "x"}
    store.add(
        [TextNode(id_=name, text=f"the text {name}", metadata={"field": field}) for name, field in fields.items()]
    )
    empty = one("field", None, FilterOperator.IS_EMPTY)
    assert {node.node_id for node in store.get_nodes(filters=empty)} == {"a", "b", "c", "null", "blank"}


def test_filters_are_joined_and_one_that_is_not_there_is_told(store: InstarVectorStore) -> None:
    first, last = (MetadataFilter(key="n", value=n) for n in (0, 2))
    for condition, found in ((FilterCondition.OR, "ac"), (FilterCondition.AND, ""), (FilterCondition.NOT, "b")):
        filters = MetadataFilters(filters=[first, last], condition=condition)
        assert sorted(node.node_id for node in store.get_nodes(filters=filters)) == sorted(found)
    with pytest.raises(ValueError, match="Instar has no filter text_match"):
        store.get_nodes(filters=one("n", "x", FilterOperator.TEXT_MATCH))


def test_no_filters_leave_out_nothing_and_delete_nothing(store: InstarVectorStore) -> None:
    assert len(index_of(store).as_retriever(similarity_top_k=3, filters=EMPTY).retrieve("closed")) == 3
    assert {node.node_id for node in store.get_nodes(filters=EMPTY)} == {"a", "b", "c"}
    assert [node.node_id for node in store.get_nodes(["b"], EMPTY)] == ["b"]
    everything = [
        EMPTY,
        MetadataFilters(filters=[EMPTY]),
        one("n", [], FilterOperator.NIN),
        MetadataFilters(filters=[one("n", [], FilterOperator.IN)], condition=FilterCondition.NOT),
        MetadataFilters(filters=[one("n", 1, FilterOperator.EQ), EMPTY], condition=FilterCondition.OR),
    ]
    for filters in everything:
        with pytest.raises(ValueError, match="leave out no node: use clear"):
            store.delete_nodes(filters=filters)
    store.delete_nodes(filters=one("n", [], FilterOperator.IN))
    assert {node.node_id for node in store.get_nodes()} == {"a", "b", "c"}
    store.delete_nodes(["b"], EMPTY)
    assert {node.node_id for node in store.get_nodes()} == {"a", "c"}


async def test_no_filters_leave_out_nothing_and_delete_nothing_over_asyncio(store: InstarVectorStore) -> None:
    assert len((await store.aquery(VectorStoreQuery(query_str="closed", similarity_top_k=3, filters=EMPTY))).ids) == 3
    assert {node.node_id for node in await store.aget_nodes(filters=EMPTY)} == {"a", "b", "c"}
    assert await store.aget_nodes(filters=one("n", [], FilterOperator.IN)) == []
    with pytest.raises(ValueError, match="leave out no node"):
        await store.adelete_nodes(filters=EMPTY)
    await store.adelete_nodes(filters=one("n", [], FilterOperator.IN))
    assert {node.node_id for node in await store.aget_nodes()} == {"a", "b", "c"}


def test_an_empty_part_of_filters_decides_as_its_words_say(store: InstarVectorStore) -> None:
    last, none = one("n", 2, FilterOperator.EQ), one("n", [], FilterOperator.IN)
    for condition, parts, passing in (
        (FilterCondition.AND, [last, EMPTY], "c"),
        (FilterCondition.AND, [last, none], ""),
        (FilterCondition.OR, [last, none], "c"),
        (FilterCondition.NOT, [last, none], "ab"),
        (FilterCondition.NOT, [last, EMPTY], ""),
    ):
        filters = MetadataFilters(filters=parts, condition=condition)
        assert sorted(node.node_id for node in store.get_nodes(filters=filters)) == sorted(passing)


def test_a_value_that_is_no_list_is_refused_by_the_service(store: InstarVectorStore) -> None:
    for operator in (FilterOperator.IN, FilterOperator.NIN):
        with pytest.raises(Exception, match="takes a list"):
            store.get_nodes(filters=one("n", "x", operator))
