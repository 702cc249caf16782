"""The loads of a collection by the ids of their passages: one load must not write over another's."""

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any

from instar.client import Instar, Refused
from instar.client.types import StoredDocument

# The name of metadata that says which load a passage came with.
LOADED_FROM = "loaded_from"
# Ids that are asked for one by one. For more, all passages of others are read, so that the network is waited for less.
_FEW = 32
# Documents that are read by a request.
_PAGE = 1000
# No address has the id, or none can have it: then the write is refused, too, and says why.
_IMPOSSIBLE = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})


class Owners:
    """Answers by which load an id is taken, and remembers it."""

    def __init__(self, client: Instar, collection: str, *, ask: bool = True) -> None:
        """`ask` the service; otherwise only what is noted is known."""
        self._client = client
        self._collection = collection
        self._ask = ask
        self._known: dict[str, str | None] = {}
        self._left = _FEW + 1 if ask else 0

    def of(self, identity: str, asking: str) -> str | None:
        """Return the name of the load that has the id; None: none has, but maybe the one that is `asking`."""
        if identity not in self._known and self._left:
            self._left -= 1
            if self._left:
                self._known[identity] = self._one(identity)
            else:
                self._known = self._others(asking) | self._known
        return self._known.get(identity)

    def note(self, ids: Iterable[str], owner: str | None) -> None:
        """Remember that these ids are the owner's from now on, or nobody's."""
        self._known |= dict.fromkeys(ids, owner)

    def forget(self) -> None:
        """Ask the service anew, because others may have written. What is noted without asking it stays."""
        if self._ask:
            self._known, self._left = {}, _FEW + 1

    def _one(self, identity: str) -> str | None:
        try:
            metadata = self._client.document(identity, self._collection).get("metadata", {})
        except Refused as refused:
            # A 404 without a type is that of a proxy whose service is away: it says nothing of documents.
            if refused.status in _IMPOSSIBLE or refused.type == "not_found":
                return None
            raise
        return str(metadata[LOADED_FROM]) if LOADED_FROM in metadata else None

    def _others(self, asking: str) -> dict[str, str | None]:
        condition = {"and": [{LOADED_FROM: {"exists": True}}, {LOADED_FROM: {"ne": asking}}]}
        loaded = matching(self._client, self._collection, condition)
        return {document["id"]: str(document["metadata"].get(LOADED_FROM)) for document in loaded}


def matching(client: Instar, collection: str, condition: dict[str, Any]) -> Iterator[StoredDocument]:
    """Return the documents that pass a filter; none if the collection is not there, because the first load makes it."""
    return client.matching(filter=condition, collection=collection, limit=_PAGE)
