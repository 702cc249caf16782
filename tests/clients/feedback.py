"""A search as a retriever of LlamaIndex or Haystack makes it, and a thumb on its first document.

`ask.py` runs them in the environment of the clients. They need nothing of this project.
"""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx

TEXTS = ["the harbour is closed", "the till closes at nine"]
QUESTION = "is the harbour open"
KEY = {"Authorization": "Bearer the key"}

# The id of the search, the document that got the thumb, and what the service answers.
Thumb = tuple[str, str, dict[str, int]]


def _searched(base_url: str) -> dict[str, Any]:
    """The answer of a search in a new collection."""
    collection = uuid4().hex
    documents = [{"text": text} for text in TEXTS]
    body = {"documents": documents, "collection": collection}
    httpx.post(f"{base_url}/documents", json=body, headers=KEY).raise_for_status()
    search = {"query": QUESTION, "k": 4, "collection": collection}
    reply: dict[str, Any] = httpx.post(f"{base_url}/search", json=search, headers=KEY).raise_for_status().json()
    return reply


def _thumb(base_url: str, search: str, document: str) -> Thumb:
    event = {"search": search, "document": document, "action": "good"}
    return search, document, httpx.post(f"{base_url}/feedback", json=event, headers=KEY).raise_for_status().json()


def llama_index(base_url: str) -> Thumb:
    from llama_index.core.schema import NodeWithScore, TextNode

    reply = _searched(base_url)
    nodes = [
        NodeWithScore(
            node=TextNode(id_=hit["id"], text=hit["text"], metadata=hit["metadata"] | {"search": reply["search"]}),
            score=hit["score"],
        )
        for hit in reply["results"]
    ]
    return _thumb(base_url, nodes[0].node.metadata["search"], nodes[0].node.node_id)


def haystack(base_url: str) -> Thumb:
    from haystack import Document

    reply = _searched(base_url)
    documents = [
        Document(
            id=hit["id"],
            content=hit["text"],
            meta=hit["metadata"] | {"search": reply["search"]},
            score=hit["score"],
        )
        for hit in reply["results"]
    ]
    return _thumb(base_url, documents[0].meta["search"], documents[0].id)


THUMBS: dict[str, Callable[[str], Thumb]] = {"llama_index_feedback": llama_index, "haystack_feedback": haystack}
