"""Instar as a vector store of LangChain: `pip install 'instar[langchain]'`.

    store = InstarVectorStore("http://127.0.0.1:8080", collection="manual", key="...")
    retriever = store.as_retriever(search_kwargs={"k": 4, "mode": "hybrid", "filter": {"year": {"gte": 2024}}})

It has no embeddings: Instar embeds what it stores and what is asked with one model, and replaces that model and the
index of all documents in one step. Nothing here changes then.

With `noted=True` documents know the search that found them, and the store takes what users do with them:

    documents = store.similarity_search(question)
    store.feedback("cite", documents)
    store.feedback("good", documents, answer=True)
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Self, cast

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from instar.client import Instar, results_of
from instar.client.calls import SEARCH, note_of
from instar.client.errors import absent_is_empty
from instar.client.types import FeedbackEvent, NewDocument, SearchRequest

__all__ = ["SEARCH", "InstarVectorStore"]

_TIMEOUT_SECONDS = 180.0


class InstarVectorStore(VectorStore):  # type: ignore[misc]
    """One collection of a running Instar. Safe to use from many threads. Methods raise InstarError."""

    def __init__(
        self,
        url: str | None = None,
        *,
        collection: str = "default",
        key: str | None = None,
        timeout: float = _TIMEOUT_SECONDS,
        new: bool = False,
        noted: bool = False,
    ) -> None:
        """`url` and `key` are by default INSTAR_URL and INSTAR_KEY; `timeout` is seconds. Nothing is asked yet.

        A `new` collection may have no document yet, and a search of it finds nothing. Otherwise one that is not there
        is an error that lists those that are, for a name may be mistyped. With `noted`, the metadata of a document that
        was found has the id of its search, `instar_search`, which `feedback` needs.
        """
        self.client = Instar(url, key=key, timeout=timeout)
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
        """Write texts, by id where there is one; they are durable and can be found when it returns.

        Raises Refused for a text that the service does not take. The texts before it are written then.
        """
        texts = list(texts)
        documents: list[NewDocument] = [
            {"text": text, "metadata": metadata, "id": identity}
            for text, metadata, identity in zip(
                texts, metadatas or [{} for _ in texts], ids or [None] * len(texts), strict=True
            )
        ]
        self._may_be_empty = True
        written: list[str] = []
        self.client.write_all(documents, self._collection, progress=lambda answer: written.extend(answer["ids"]))
        return written

    def similarity_search(self, query: str, k: int = 4, **how: Any) -> list[Document]:
        """Return the best `k`. `how` is of `POST /search`: `mode`, `filter`, `min_score`, `offset`, `diversity`."""
        return [document for document, _ in self.similarity_search_with_score(query, k, **how)]

    def similarity_search_with_score(self, query: str, k: int = 4, **how: Any) -> list[tuple[Document, float]]:
        """Return the best `k` with their scores, which are cosines in the mode `dense`.

        Without a `mode` the service chooses: `hybrid`, unless `INSTAR_MODE` says otherwise or there is a `min_score`.
        """
        request = {"query": query, "k": k, "collection": self._collection, **how}
        answer = None
        with absent_is_empty() if self._may_be_empty else nullcontext():
            answer = self.client.search(**cast(SearchRequest, request))
        if answer is None:
            return []
        note = note_of(answer) if self._noted else {}
        return [(_document(result, note), result["score"]) for result in results_of(answer)]

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
        self.client.feedback(cast(FeedbackEvent, {"action": action, "search": searches.pop(), **named, **event}))

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

    def delete(self, ids: list[str] | None = None, **which: Any) -> bool:
        """Delete by id, or those that pass a `filter`, or, without either, all of the collection.

        Raises ValueError for anything else that says which, because all would be deleted.
        """
        if which.keys() - {"filter"} or (ids is not None and which):
            raise ValueError(f"delete takes ids or a filter: leave out {', '.join(which.keys() - {'filter'}) or 'one'}")
        if "filter" in which:
            self.client.delete(filter=which["filter"], collection=self._collection)
            return True
        if ids is None:
            ids = [document["id"] for document in self.client.documents(self._collection)]
        self.client.delete_all(ids, self._collection)
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Return the documents that are there."""
        documents = []
        for identity in ids:
            with absent_is_empty("id"):
                documents.append(_document(self.client.document(identity, self._collection)))
        return documents

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


def _document(stored: Mapping[str, Any], note: Mapping[str, str] | None = None) -> Document:
    return Document(id=stored["id"], page_content=stored["text"], metadata=stored["metadata"] | dict(note or {}))
