"""The vector store: its calls, for threads and for asyncio."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import BaseNode, MetadataMode, ObjectType, TextNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryResult,
)
from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict

from instar.client import AsyncInstar, Instar, results_of
from instar.client.calls import note_of
from instar.client.errors import absent_is_empty
from instar.client.loops import EachLoop
from instar.client.types import NewDocument, Result, SearchAnswer
from instar.llama_index.queries import DOCUMENT, NODE, among, doomed, search_of

_TIMEOUT_SECONDS = 180.0


class InstarVectorStore(BasePydanticVectorStore):  # type: ignore[misc]
    """One collection of a running Instar. Methods raise InstarError, and ValueError for filters that Instar lacks."""

    stores_text: bool = True
    is_embedding_query: bool = False
    collection: str = "default"
    _client: Instar = PrivateAttr()
    _clients: EachLoop = PrivateAttr()
    _may_be_empty: bool = PrivateAttr()

    def __init__(
        self,
        url: str | None = None,
        *,
        collection: str = "default",
        key: str | None = None,
        timeout: float = _TIMEOUT_SECONDS,
        new: bool = False,
    ) -> None:
        """`url` and `key` are by default INSTAR_URL and INSTAR_KEY; `timeout` is seconds. Nothing is asked yet.

        A `new` collection may have no document yet, and a search of it finds nothing, as one of a collection that this
        store has written to. Otherwise one that is not there is an error that lists those that are, for a name may be
        mistyped.
        """
        super().__init__(collection=collection)
        self._may_be_empty = new
        self._client = Instar(url, key=key, timeout=timeout)
        self._clients = EachLoop(lambda: AsyncInstar(url, key=key, timeout=timeout))

    @classmethod
    def class_name(cls) -> str:
        return "InstarVectorStore"

    @property
    def client(self) -> Instar:
        """The client of the service."""
        return self._client

    @property
    def aclient(self) -> AsyncInstar:
        """The client of the service for the event loop that runs."""
        return self._clients.client

    def add(self, nodes: Sequence[BaseNode], **_: Any) -> list[str]:
        """Write nodes; they are durable and can be found when it returns. Return the ids of all.

        A text node without text, as LlamaIndex makes one of an empty file, has nothing to be found by and is left out.
        Raises Refused for a node that the service does not take. The nodes before it are written then.
        """
        self._may_be_empty = True
        self._client.write_all(_documents(nodes), self.collection)
        return [node.node_id for node in nodes]

    async def async_add(self, nodes: Sequence[BaseNode], **_: Any) -> list[str]:
        """Do what `add` does."""
        self._may_be_empty = True
        await self.aclient.write_all(_documents(nodes), self.collection)
        return [node.node_id for node in nodes]

    def delete(self, ref_doc_id: str, **_: Any) -> None:
        """Delete the nodes of a document."""
        self._client.delete(filter={DOCUMENT: ref_doc_id}, collection=self.collection)

    async def adelete(self, ref_doc_id: str, **_: Any) -> None:
        """Do what `delete` does."""
        await self.aclient.delete(filter={DOCUMENT: ref_doc_id}, collection=self.collection)

    def delete_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **_: Any) -> None:
        """Delete nodes by id, or those that pass the filters; with both, those that are named and pass.

        Raises ValueError for filters that leave out no node, because all would be deleted.
        """
        passing = doomed(node_ids, filters)
        if isinstance(passing, dict):
            self._client.delete(filter=passing, collection=self.collection)
        elif passing and node_ids is not None:
            self._client.delete_all(node_ids, self.collection)

    async def adelete_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **_: Any
    ) -> None:
        """Do what `delete_nodes` does."""
        passing = doomed(node_ids, filters)
        if isinstance(passing, dict):
            await self.aclient.delete(filter=passing, collection=self.collection)
        elif passing and node_ids is not None:
            await self.aclient.delete_all(node_ids, self.collection)

    def clear(self) -> None:
        """Delete all nodes of the collection."""
        ids = [document["id"] for document in self._client.documents(self.collection)]
        self._client.delete_all(ids, self.collection)

    async def aclear(self) -> None:
        """Do what `clear` does."""
        ids = [document["id"] async for document in self.aclient.documents(self.collection)]
        await self.aclient.delete_all(ids, self.collection)

    def get_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None) -> list[BaseNode]:
        """Return nodes by id, or those that pass the filters; with both, those that are named and pass."""
        passing = among(node_ids, filters)
        if isinstance(passing, dict):
            return _nodes(self._client.matching(filter=passing, collection=self.collection))
        if not passing:
            return []
        if node_ids is None:
            return _nodes(self._client.documents(self.collection))
        nodes = []
        for identity in node_ids:
            with absent_is_empty("id"):
                nodes.append(_node(self._client.document(identity, self.collection)))
        return nodes

    async def aget_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """Do what `get_nodes` does."""
        passing = among(node_ids, filters)
        if isinstance(passing, dict):
            matching = self.aclient.matching(filter=passing, collection=self.collection)
            return _nodes([document async for document in matching])
        if not passing:
            return []
        if node_ids is None:
            return _nodes([document async for document in self.aclient.documents(self.collection)])
        nodes = []
        for identity in node_ids:
            with absent_is_empty("id"):
                nodes.append(_node(await self.aclient.document(identity, self.collection)))
        return nodes

    def query(self, query: VectorStoreQuery, **how: Any) -> VectorStoreQueryResult:
        """Search for the text of the query among its `doc_ids` and `node_ids`, if there are any.

        `how` is of `POST /search`: `min_score`, `diversity`, `rerank`; or it is LlamaIndex's `mmr_threshold`.
        """
        request = search_of(query, self.collection, how)
        answer = None
        if request is not None:
            with self._bearing_emptiness():
                answer = self._client.search(**request)
        return _result(answer)

    async def aquery(self, query: VectorStoreQuery, **how: Any) -> VectorStoreQueryResult:
        """Do what `query` does."""
        request = search_of(query, self.collection, how)
        answer = None
        if request is not None:
            with self._bearing_emptiness():
                answer = await self.aclient.search(**request)
        return _result(answer)

    def _bearing_emptiness(self) -> AbstractContextManager[None]:
        return absent_is_empty() if self._may_be_empty else nullcontext()


def _documents(nodes: Sequence[BaseNode]) -> Iterator[NewDocument]:
    """Yield what is stored of nodes. LlamaIndex makes JSON of their metadata by itself."""
    for node in nodes:
        text = node.get_content(metadata_mode=MetadataMode.NONE)
        # An image or a reference that is lost for want of a text is told.
        if node.get_type() == ObjectType.TEXT and not text.strip():
            continue
        metadata = node_to_metadata_dict(node, remove_text=True, flat_metadata=False)
        yield {
            "id": node.node_id,
            "text": text,
            "metadata": metadata | {NODE: node.node_id},
        }


def _result(answer: SearchAnswer | None) -> VectorStoreQueryResult:
    """The result for an answer; None: nothing can be there."""
    results = [] if answer is None else results_of(answer)
    note = {} if answer is None else note_of(answer)
    return VectorStoreQueryResult(
        nodes=[_node(result, note) for result in results],
        similarities=[result["score"] for result in results],
        ids=[result["id"] for result in results],
    )


def _nodes(documents: Iterable[Mapping[str, Any]]) -> list[BaseNode]:
    return [_node(document) for document in documents]


def _node(stored: Mapping[str, Any] | Result, note: Mapping[str, str] | None = None) -> BaseNode:
    metadata = dict(stored["metadata"])
    if "_node_content" in metadata:
        node = metadata_dict_to_node(metadata, text=stored["text"])
    else:
        # Somebody else has written it.
        node = TextNode(id_=stored["id"], text=stored["text"], metadata=metadata)
    for key, search in (note or {}).items():
        node.metadata[key] = search
        # It is for feedback, and says nothing of the text.
        for excluded in (node.excluded_llm_metadata_keys, node.excluded_embed_metadata_keys):
            if key not in excluded:
                excluded.append(key)
    return node
