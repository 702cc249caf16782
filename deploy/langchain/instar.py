"""Instar as a vector store of LangChain: one file to copy beside your code.

    store = Instar("http://127.0.0.1:8080", collection="manual", key="...")
    retriever = store.as_retriever(search_kwargs={"k": 4, "mode": "hybrid", "filter": {"year": {"gte": 2024}}})

It has no embeddings: Instar embeds what it stores and what is asked with one model, and replaces that model and the
index of all documents in one step. Nothing here changes then. Needs httpx and langchain-core 1.

With `noted=True` documents know the search that found them, and the store takes what users do with them:

    documents = store.similarity_search(question)
    store.feedback("cite", documents)
    store.feedback("good", documents, answer=True)
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Self
from urllib.parse import quote

import httpx
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

# Documents in one request.
_PORTION = 256
# The search that found a document, in its metadata.
SEARCH = "instar_search"


class Instar(VectorStore):
    """One collection of a running Instar. Safe to use from many threads."""

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8080",
        *,
        collection: str = "default",
        key: str | None = None,
        timeout: float = 180,
        new: bool = False,
        noted: bool = False,
    ) -> None:
        """`key` is that of `INSTAR_API_KEY`; `timeout` is seconds. Nothing is asked of the service yet.

        A `new` collection may have no document yet, and a search of it finds nothing. Otherwise one that is not there
        is an error that lists those that are, for a name may be mistyped. With `noted`, the metadata of a document that
        was found has the id of its search, `instar_search`, which `feedback` needs.
        """
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._client = httpx.Client(base_url=base_url, headers=headers, timeout=timeout)
        self._collection = collection
        self._may_be_empty = new
        self._noted = noted

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **_: Any,
    ) -> list[str]:
        """Write texts, by id where there is one; they are durable and can be found when it returns."""
        texts = list(texts)
        documents = [
            {"text": text, "metadata": metadata} | ({} if identity is None else {"id": identity})
            for text, metadata, identity in zip(
                texts, metadatas or [{} for _ in texts], ids or [None] * len(texts), strict=True
            )
        ]
        self._may_be_empty = True
        given: list[str] = []
        for start in range(0, len(documents), _PORTION):
            body = {"documents": documents[start : start + _PORTION], "collection": self._collection}
            given += self._asked("POST", "/documents", json=body)["ids"]
        return given

    def similarity_search(self, query: str, k: int = 4, **how: Any) -> list[Document]:
        """Return the best `k`. `how` is of `POST /search`: `mode`, `filter`, `min_score`, `offset`, `diversity`."""
        return [document for document, _ in self.similarity_search_with_score(query, k, **how)]

    def similarity_search_with_score(self, query: str, k: int = 4, **how: Any) -> list[tuple[Document, float]]:
        """Return the best `k` with their scores, which are cosines in the mode `dense`.

        Without a `mode` the service chooses: `hybrid`, unless `INSTAR_MODE` says otherwise or there is a `min_score`.
        """
        body = {"query": query, "k": k, "collection": self._collection} | how
        response = self._client.post("/search", json=body)
        if response.status_code == httpx.codes.NOT_FOUND and self._may_be_empty:
            # A collection is there from its first document to its last.
            return []
        reply = _checked(response)
        # The service may keep no searches, and then names none.
        note = {SEARCH: reply["search"]} if self._noted and "search" in reply else {}
        return [(_document(hit, note), hit["score"]) for hit in reply["results"]]

    def feedback(self, action: str, documents: Sequence[Document], *, answer: bool = False, **event: Any) -> None:
        """Say what a user did with documents of one search: good, bad, click, cite, copy, dwell or withdraw.

        With `answer` it is about the answer that was written from them. `event` is what else `POST /feedback` takes:
        `user`, `session`, `value`, `id`, `note`. The key needs the scope `feedback`. Raises ValueError if no search is
        noted with the documents, or several are.
        """
        searches = {document.metadata.get(SEARCH) for document in documents}
        if len(searches) != 1 or None in searches:
            raise ValueError("feedback is on documents of one search, by a store that was made with noted=True")
        named = {} if answer else {"documents": [document.id for document in documents]}
        self._asked("POST", "/feedback", json={"action": action, "search": searches.pop()} | named | event)

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,  # noqa: ARG002
        lambda_mult: float = 0.5,
        **how: Any,
    ) -> list[Document]:
        """Return the best `k` that are not alike; Instar chooses of 100 or more, whatever `fetch_k` is."""
        return self.similarity_search(query, k, **how, diversity=1 - lambda_mult)

    def delete(self, ids: list[str] | None = None, **_: Any) -> bool:
        """Delete by id, or all of the collection."""
        portions = self._all() if ids is None else iter([ids])
        for portion in portions:
            self._asked("POST", "/documents/delete", json={"ids": portion, "collection": self._collection})
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Return the documents that are there."""
        found = []
        for identity in ids:
            response = self._client.get(f"/documents/{quote(identity)}", params={"collection": self._collection})
            if response.status_code != httpx.codes.NOT_FOUND:
                found.append(_document(_checked(response)))
        return found

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings | None = None,  # noqa: ARG003  (Instar has the model)
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **settings: Any,
    ) -> Self:
        """A store with these texts; `settings` are those of the class."""
        store = cls(**settings)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        return lambda cosine: max(0.0, cosine)

    def _all(self) -> Iterator[list[str]]:
        """The ids of the collection, a page at a time, each deleted before the next is asked for."""
        while True:
            page = self._asked("GET", "/documents", params={"collection": self._collection, "limit": 1000})
            if not page["documents"]:
                return
            yield [document["id"] for document in page["documents"]]

    def _asked(self, method: str, path: str, **what: Any) -> Any:
        return _checked(self._client.request(method, path, **what))


def _checked(response: httpx.Response) -> Any:
    if response.is_error:
        # The message of Instar says what to do, which the status alone does not.
        raise httpx.HTTPStatusError(
            f"{response.status_code}: {response.text}", request=response.request, response=response
        )
    return response.json()


def _document(found: dict[str, Any], note: dict[str, str] | None = None) -> Document:
    return Document(id=found["id"], page_content=found["text"], metadata=found["metadata"] | (note or {}))
