"""Refusals that every store of the corpus gives in the same words."""

from collections.abc import Sequence

from service.corpus.base import Documents
from service.corpus.errors import no_collection
from service.corpus.judgements import DEFAULT_COLLECTION, Judgement
from service.errors import InvalidRequest


def require_collection(documents: Documents, collection: str) -> None:
    """Raise NotFound, which lists the collections, unless `collection` is the default one or has a document."""
    if collection == DEFAULT_COLLECTION:
        return
    collections = list(documents.collections())
    if collection not in collections:
        raise no_collection(collection, collections)


def unresolved_judgements(collection: str, judgements: Sequence[Judgement]) -> InvalidRequest:
    """Return the error for judgements of a collection that has none of their documents."""
    return InvalidRequest(
        f"the collection {collection[:80]!r} has none of the documents that are judged (as"
        f" {judgements[0].document[:80]!r}): send the ids that its documents have; nothing has changed",
        "judgements",
    )
