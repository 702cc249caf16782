"""Instar as a vector store of DocsGPT, to be copied to application/vectorstore/instar.py.

Instar embeds, stores and searches, and DocsGPT holds no vector: when another checkpoint is loaded there, nothing is to
be done here. Each source is a collection of its own. DocsGPT builds a store for each source and request, so building
one asks nothing of the network and loads no model.

The metadata of a chunk that was found has `instar`: the search that found it, as {"search", "query", "collection",
"document"}. DocsGPT stores it with the sources of an answer, where feedback.py reads it.

Errors are raised, as requests.RequestException with what Instar says: DocsGPT's retrieval logs them and goes on with
its other sources, and its ingestion tries again.
"""

import json
import os
import time
import uuid
from collections.abc import Sequence
from typing import Any

import requests
from application.core.settings import settings
from application.vectorstore.base import BaseVectorStore
from application.vectorstore.document_class import Document
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

_PREFIX = "docsgpt-"
# Instar's own limits: INSTAR_LIMITS__K, and documents in a page.
_MAX_K = 1000
_PAGE = 1000
# Texts sent at a time: some seconds of work for a processor.
_PORTION = 64
_CONNECT_SECONDS = 5
_SEARCH_SECONDS = 30
_WRITE_SECONDS = 180
# How often, and at most how long, a write waits when Instar asks for that.
_WAITS = 3
_LONGEST_WAIT = 20
_LATER = (requests.codes.too_many_requests, requests.codes.service_unavailable)

# Connections outlive a store, and threads share them: an adapter's pool is made for that, a session is not. None is
# open when DocsGPT's workers fork, because nothing is asked before. All that is sent may be sent twice, so it is when a
# connection breaks, as a kept one does when Instar is started again.
_CONNECTIONS = HTTPAdapter(
    pool_maxsize=64, max_retries=Retry(1, allowed_methods=None, respect_retry_after_header=False)
)


class InstarStore(BaseVectorStore):
    """The chunks of one source. A chunk is a document of Instar: {"doc_id", "text", "metadata"}."""

    score_kind = "cosine_similarity"

    def __init__(self, source_id: str = "", embeddings_key: str | None = None) -> None:  # noqa: ARG002
        """`embeddings_key` is for stores that embed. Raises ValueError if there is no INSTAR_URL."""
        super().__init__()
        self._source_id = str(source_id).replace("application/indexes/", "").rstrip("/")
        self._collection = _PREFIX + self._source_id
        url, key = _setting("INSTAR_URL"), _setting("INSTAR_KEY")
        if not url:
            raise ValueError("INSTAR_URL is not set: put Instar's address into .env, as http://instar:8080")
        self._url = url.rstrip("/")
        # With "passages", a chunk that is longer than the model reads comes as its best passage.
        returned = _setting("INSTAR_RETURN")
        self._shape = {"return": returned} if returned else {}
        self._session = requests.Session()
        self._session.mount("http://", _CONNECTIONS)
        self._session.mount("https://", _CONNECTIONS)
        if key:
            self._session.headers["Authorization"] = f"Bearer {key}"

    def search(self, question: str, k: int = 2, *args: Any, **kwargs: Any) -> list[Document]:
        """The chunks of `search_with_scores` without their scores."""
        return [document for document, _ in self.search_with_scores(question, k, *args, **kwargs)]

    def search_with_scores(
        self,
        question: str,
        k: int = 2,
        *_args: Any,
        score_threshold: float | None = None,
        **_ignored: Any,
    ) -> list[tuple[Document, float]]:
        """Up to `k` (at most 1000) chunks and their scores, best first.

        With a `score_threshold`, they are cosines to the question, and lower ones are left out. Otherwise Instar finds
        them by its default mode: by vector and by keyword, unless its INSTAR_MODE says something else. A `query_vector`
        is ignored: it comes from another model, or from another checkpoint of this one, and would be compared with
        vectors of a space that it is not in.
        """
        return self._find(question, k, min_score=score_threshold)

    def keyword_search(self, question: str, k: int = 10) -> list[Document]:
        """Up to `k` (at most 1000) chunks by the words that they share with the question, best first."""
        return [document for document, _ in self._find(question, k, mode="keyword")]

    def add_texts(
        self, texts: Sequence[str], metadatas: Sequence[dict[str, Any]] | None = None, *_args: Any, **_ignored: Any
    ) -> list[str]:
        """Store the texts and return their ids; they are found from then on.

        64 at a time are written whole or not at all. Metadata that JSON does not know is stored as its text.
        """
        texts = list(texts)
        documents: list[dict[str, Any]] = [
            # Ids are given here, so that a portion that is sent twice is stored once.
            {"id": str(uuid.uuid4()), "text": text, "metadata": {**metadata, "source_id": self._source_id}}
            for text, metadata in zip(texts, metadatas or [{}] * len(texts), strict=True)
        ]
        for start in range(0, len(documents), _PORTION):
            self._post("/documents", {"documents": documents[start : start + _PORTION]}, waits=_WAITS)
        return [document["id"] for document in documents]

    def add_chunk(self, text: str, metadata: dict[str, Any] | None = None, *_args: Any, **_ignored: Any) -> str:
        """Store one chunk and return its id."""
        return self.add_texts([text], [metadata or {}])[0]

    def get_chunks(self, *_args: Any, **_ignored: Any) -> list[dict[str, Any]]:
        """All chunks, in the order in which they were written."""
        chunks: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            asked: dict[str, str | int | None] = {"collection": self._collection, "limit": _PAGE, "cursor": cursor}
            page = _answer(self._session.get(f"{self._url}/documents", params=asked, timeout=_timeout(_WRITE_SECONDS)))
            chunks += [
                {"doc_id": document["id"], "text": document["text"], "metadata": document["metadata"]}
                for document in page["documents"]
            ]
            cursor = page["next"]
            if cursor is None:
                return chunks

    def delete_chunk(self, chunk_id: str, *_args: Any, **_ignored: Any) -> bool:
        """Delete one chunk of this source; false if it has none of that id."""
        return self._delete(ids=[str(chunk_id)]) > 0

    def delete_chunks_by_source_path(self, path: str) -> int:
        """Delete the chunks whose metadata has `path` as its `source`; returns how many there were."""
        return self._delete(filter={"source": path})

    def delete_index(self, *_args: Any, **_ignored: Any) -> None:
        """Delete all chunks of this source."""
        self._delete(filter={"source_id": self._source_id})

    def save_local(self, *_args: Any, **_ignored: Any) -> None:
        """Nothing: what was written is durable when it is answered."""

    def _get_embeddings(self, *_args: Any, **_ignored: Any) -> None:
        """None: DocsGPT's retrieval asks a store for its model, to embed the question with, and would load one."""

    def _find(self, question: str, k: int, **options: Any) -> list[tuple[Document, float]]:
        if not question.strip():
            return []
        body = {"query": question, "k": min(k, _MAX_K), **self._shape, **options}
        response = self._send("/search", body, _SEARCH_SECONDS)
        # A collection is there as long as it has a document.
        if response.status_code == requests.codes.not_found and _error(response).get("param") == "collection":
            return []
        answer = _answer(response)
        # Instar may keep no searches, and then names none.
        search = {name: answer[name] for name in ("search",) if name in answer}
        search |= {"query": question, "collection": self._collection}
        return [
            (Document(page_content=hit["text"], metadata=_noted(hit, search)), hit["score"])
            for hit in answer["results"]
        ]

    def _delete(self, **which: Any) -> int:
        deleted: int = self._post("/documents/delete", which)["deleted"]
        return deleted

    def _post(self, path: str, body: dict[str, Any], waits: int = 0) -> Any:
        """The answer as JSON; up to `waits` times it waits as long as Instar asks, and sends again."""
        response = self._send(path, body, _WRITE_SECONDS)
        for _ in range(waits):
            if response.status_code not in _LATER:
                break
            time.sleep(_seconds(response.headers.get("Retry-After", "")))
            response = self._send(path, body, _WRITE_SECONDS)
        return _answer(response)

    def _send(self, path: str, body: dict[str, Any], seconds: float) -> requests.Response:
        return self._session.post(
            self._url + path,
            data=json.dumps({**body, "collection": self._collection}, default=str),
            headers={"Content-Type": "application/json"},
            timeout=_timeout(seconds),
        )


def _noted(hit: dict[str, Any], search: dict[str, Any]) -> dict[str, Any]:
    """The metadata of a result, with the search that it is of."""
    return {**hit["metadata"], "instar": {**search, "document": hit["id"]}}


def _setting(name: str) -> str:
    """Out of DocsGPT's settings, or out of the environment where these do not know it."""
    return getattr(settings, name, None) or os.environ.get(name, "")


def _timeout(seconds: float) -> tuple[float, float]:
    return _CONNECT_SECONDS, seconds


def _seconds(retry_after: str) -> float:
    """Seconds to wait; a proxy may say nothing, or a date."""
    return min(float(retry_after), _LONGEST_WAIT) if retry_after.isdigit() else 1.0


def _answer(response: requests.Response) -> Any:
    """The answer as JSON; raises requests.HTTPError with what Instar says is wrong."""
    if not response.ok:
        message = _error(response)["message"]
        raise requests.HTTPError(f"Instar answered {response.status_code}: {message}", response=response)
    return response.json()


def _error(response: requests.Response) -> dict[str, Any]:
    """The error as Instar describes it; of anything else that answers, its text is the message."""
    try:
        error: dict[str, Any] = response.json()["error"]
    except (ValueError, TypeError, KeyError):
        return {"message": response.text[:200]}
    return error
