"""Instar as a vector store of LlamaIndex: `pip install 'instar[llama-index]'`.

    store = InstarVectorStore("http://127.0.0.1:8080", collection="manual", key="...")
    index = VectorStoreIndex.from_vector_store(store, embed_model=MockEmbedding(embed_dim=1))
    nodes = index.as_retriever(similarity_top_k=4).retrieve(question)

It has no embeddings: Instar embeds what it stores and what is asked with one model, and replaces that model and the
index of all documents in one step. Nothing here changes then. LlamaIndex wants an embedding model all the same, and its
own `MockEmbedding` is one that computes nothing.

A node that was found has the id of its search in its metadata, `instar_search`, which feedback names:

    store.client.feedback({"action": "good", "search": node.metadata["instar_search"], "document": node.node_id})
"""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import BaseNode, MetadataMode, TextNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)
from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict

from instar.client import Instar, Refused, results_of
from instar.client.calls import SEARCH, note_of
from instar.client.types import NewDocument, Result, SearchRequest

__all__ = ["SEARCH", "InstarVectorStore"]

_TIMEOUT_SECONDS = 180.0
_MODES: Mapping[VectorStoreQueryMode, str] = {
    VectorStoreQueryMode.SPARSE: "keyword",
    VectorStoreQueryMode.TEXT_SEARCH: "keyword",
    VectorStoreQueryMode.HYBRID: "hybrid",
}
_OPERATORS: Mapping[FilterOperator, str] = {
    FilterOperator.EQ: "eq",
    FilterOperator.NE: "ne",
    FilterOperator.GT: "gt",
    FilterOperator.GTE: "gte",
    FilterOperator.LT: "lt",
    FilterOperator.LTE: "lte",
    FilterOperator.IN: "in",
    FilterOperator.ANY: "in",
    FilterOperator.ALL: "all",
    # A list that has the value is met by equality.
    FilterOperator.CONTAINS: "eq",
}


class InstarVectorStore(BasePydanticVectorStore):  # type: ignore[misc]
    """One collection of a running Instar. Methods raise InstarError, and ValueError for filters that Instar lacks."""

    stores_text: bool = True
    is_embedding_query: bool = False
    collection: str = "default"
    _client: Instar = PrivateAttr()

    def __init__(
        self,
        url: str | None = None,
        *,
        collection: str = "default",
        key: str | None = None,
        timeout: float = _TIMEOUT_SECONDS,
    ) -> None:
        """`url` and `key` are by default INSTAR_URL and INSTAR_KEY; `timeout` is seconds. Nothing is asked yet."""
        super().__init__(collection=collection)
        self._client = Instar(url, key=key, timeout=timeout)

    @classmethod
    def class_name(cls) -> str:
        return "InstarVectorStore"

    @property
    def client(self) -> Instar:
        """The client of the service."""
        return self._client

    def add(self, nodes: Sequence[BaseNode], **_: Any) -> list[str]:
        """Write nodes; they are durable and can be found when it returns.

        Raises Refused for a node that the service does not take. The nodes before it are written then.
        """
        documents: Iterator[NewDocument] = (
            {
                "id": node.node_id,
                "text": node.get_content(metadata_mode=MetadataMode.NONE),
                "metadata": node_to_metadata_dict(node, remove_text=True, flat_metadata=False),
            }
            for node in nodes
        )
        self._client.write_all(documents, self.collection)
        return [node.node_id for node in nodes]

    def delete(self, ref_doc_id: str, **_: Any) -> None:
        """Delete the nodes of a document."""
        self._delete(filter={"ref_doc_id": ref_doc_id})

    def delete_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **_: Any) -> None:
        """Delete nodes by id, or those that pass the filters."""
        if node_ids is not None:
            self._delete(ids=node_ids)
        elif filters is not None:
            self._delete(filter=_filter(filters))

    def clear(self) -> None:
        """Delete all nodes of the collection."""
        ids = [document["id"] for document in self._client.documents(self.collection)]
        self._client.delete_all(ids, self.collection)

    def get_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None) -> list[BaseNode]:
        """Return nodes by id, or those that pass the filters."""
        if node_ids is None:
            documents = (
                self._client.documents(self.collection)
                if filters is None
                else self._client.matching(filter=_filter(filters), collection=self.collection)
            )
            return [_node(document) for document in documents]
        return [_node(document) for document in self._those(node_ids)]

    def query(self, query: VectorStoreQuery, **how: Any) -> VectorStoreQueryResult:
        """Search for the text of the query. `how` is of `POST /search`: `min_score`, `diversity`, `rerank`."""
        request: dict[str, Any] = {"query": query.query_str, "k": query.similarity_top_k, "collection": self.collection}
        if query.mode in _MODES:
            request["mode"] = _MODES[query.mode]
        if query.mode == VectorStoreQueryMode.MMR:
            request["diversity"] = 1 - (query.mmr_threshold if query.mmr_threshold is not None else 0.5)
        if query.filters is not None:
            request["filter"] = _filter(query.filters)
        answer = self._client.search(**cast(SearchRequest, {**request, **how}))
        note, results = note_of(answer), results_of(answer)
        return VectorStoreQueryResult(
            nodes=[_node(result, note) for result in results],
            similarities=[result["score"] for result in results],
            ids=[result["id"] for result in results],
        )

    def _those(self, identities: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        """Yield the documents that are there."""
        for identity in identities:
            try:
                yield self._client.document(identity, self.collection)
            except Refused as refused:
                if refused.status != HTTPStatus.NOT_FOUND:
                    raise

    def _delete(self, **which: Any) -> None:
        try:
            self._client.delete(**which, collection=self.collection)
        except Refused as refused:
            # A collection is there from its first document to its last.
            if refused.status != HTTPStatus.NOT_FOUND:
                raise


def _node(stored: Mapping[str, Any] | Result, note: Mapping[str, str] | None = None) -> BaseNode:
    metadata = dict(stored["metadata"])
    if "_node_content" in metadata:
        node = metadata_dict_to_node(metadata, text=stored["text"])
    else:
        # Somebody else has written it.
        node = TextNode(id_=stored["id"], text=stored["text"], metadata=metadata)
    node.metadata.update(note or {})
    return node


def _filter(filters: MetadataFilters) -> dict[str, Any]:
    """The filter of Instar for those of LlamaIndex. Raises ValueError for an operator that it does not have."""
    parts = [_filter(one) if isinstance(one, MetadataFilters) else _condition(one) for one in filters.filters]
    condition = filters.condition or FilterCondition.AND
    return {"not": {"or": parts}} if condition == FilterCondition.NOT else {condition.value: parts}


def _condition(one: MetadataFilter) -> dict[str, Any]:
    if one.operator == FilterOperator.IS_EMPTY:
        return {one.key: {"exists": False}}
    if one.operator == FilterOperator.NIN:
        return {"not": {one.key: {"in": one.value}}}
    if one.operator not in _OPERATORS:
        raise ValueError(f"Instar has no filter {one.operator.value}: use one of {', '.join(_OPERATORS.values())}")
    return {one.key: {_OPERATORS[one.operator]: one.value}}
