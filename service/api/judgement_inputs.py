"""Checks of judgements, and of cursors in lists of them."""

import base64
import binascii
from collections.abc import Sequence

from service.api.inputs import check_text, refuse_nul, unknown_cursor
from service.api.schemas.documents import MAX_ID
from service.api.schemas.judgements import JudgementsRequest
from service.corpus.base import Documents, Judgement, Key
from service.corpus.errors import too_many_judgements
from service.corpus.refusals import require_collection
from service.errors import InvalidRequest, TooLarge
from service.settings import Settings

# The cursor of a page contains the last query, and the head of a request has a limited size.
_MAX_QUERY = 10_000


def check_judgements(request: JudgementsRequest, documents: Documents, settings: Settings) -> Sequence[Judgement]:
    """Return the judgements of the request, each of them once.

    Raises InvalidRequest, NotFound or TooLarge, which names the judgement at fault.
    """
    if len(request.judgements) > settings.limits.judgements:
        raise too_many_judgements("are", len(request.judgements), settings.limits.judgements)
    if request.collection is not None:
        refuse_nul(request.collection, "collection")
        require_collection(documents, request.collection)
    judgements: dict[Key, Judgement] = {}
    for index, sent in enumerate(request.judgements):
        judgement = sent
        if request.collection is not None and "collection" not in sent.model_fields_set:
            judgement = sent.model_copy(update={"collection": request.collection})
        _check(judgement, f"judgements.{index}", request.collection, settings)
        if judgements.setdefault(judgement.key, judgement).good is not judgement.good:
            raise contradiction(index)
    return list(judgements.values())


def _check(judgement: Judgement, param: str, collection: str | None, settings: Settings) -> None:
    check_text(judgement.query, f"{param}.query", settings)
    for name in ("query", "document", "collection"):
        refuse_nul(getattr(judgement, name), f"{param}.{name}")
    if len(judgement.query) > _MAX_QUERY:
        raise TooLarge(
            f"{param}.query has {len(judgement.query)} characters, more than {_MAX_QUERY}: cut it", f"{param}.query"
        )
    if len(judgement.document.encode()) > MAX_ID:
        raise InvalidRequest(
            f"{param}.document is longer than any id, which has up to {MAX_ID} bytes: send the id of a document",
            f"{param}.document",
        )
    if collection not in (None, judgement.collection):
        raise InvalidRequest(
            f"{param} has the collection {judgement.collection[:80]!r}, but the request has {collection[:80]!r}: send"
            " it in another request, or leave out the collection beside judgements",
            f"{param}.collection",
        )


def contradiction(index: int) -> InvalidRequest:
    """The judgement at `index` says the opposite of one before it."""
    return InvalidRequest(f"judgements.{index} contradicts one before it: leave one of them out", f"judgements.{index}")


def no_condition() -> InvalidRequest:
    """A request to delete judgements does not say which ones."""
    return InvalidRequest("say which: name collection, query, document or unresolved; PUT of [] removes all")


def cursor_after(key: Key) -> str:
    """Return the cursor of the page that begins after the judgement with that key."""
    # No part of a key has the character U+0000, so it can separate them.
    return base64.urlsafe_b64encode("\0".join(key).encode()).decode()


def key_before(cursor: str) -> Key:
    """Return the key after which a page begins. Raises InvalidRequest for an unknown cursor."""
    try:
        collection, query, document = base64.b64decode(cursor.encode(), b"-_", validate=True).decode().split("\0")
    except (binascii.Error, ValueError) as error:
        raise unknown_cursor() from error
    return collection, query, document
