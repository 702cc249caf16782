"""The refusals that every store of the corpus gives in the same words."""

from collections.abc import Sequence

from service.corpus.base import DEFAULT_COLLECTION, Documents, Judgement
from service.errors import InvalidRequest, NotFound, TooLarge


def require_collection(documents: Documents, collection: str) -> None:
    """Raise NotFound, with the collections there are, unless `collection` is the default or has a document."""
    if collection == DEFAULT_COLLECTION:
        return
    known = list(documents.collections())
    if collection not in known:
        listed = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
        raise NotFound(
            f"there is no collection {collection[:80]!r}: there are {listed or 'none yet, POST /documents makes one'}",
            "collection",
        )


def unresolved_judgements(collection: str, judgements: Sequence[Judgement]) -> InvalidRequest:
    """Build the error for judgements of a collection that has none of their documents."""
    return InvalidRequest(
        f"the collection {collection[:80]!r} has none of the documents that are judged (as"
        f" {judgements[0].document[:80]!r}): send the ids that its documents have; nothing has changed",
        "judgements",
    )


def too_many_judgements(count: int, most: int) -> TooLarge:
    """Build the error for `count` judgements where `most` are allowed."""
    return TooLarge(
        f"there would be {count} judgements, more than {most}: send fewer, or raise INSTAR_MAX_JUDGEMENTS", "judgements"
    )
