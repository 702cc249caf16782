"""Checks of judgements, and of cursors in lists of them."""

import base64
import binascii
from collections.abc import Sequence, Set
from datetime import UTC, datetime, timedelta

from service.api.inputs import check_text, refuse_nul, unknown_cursor
from service.api.schemas.documents import MAX_ID
from service.api.schemas.judgements import JudgementsRequest
from service.corpus.base import Documents
from service.corpus.errors import too_many_judgements
from service.corpus.judgements import DERIVED, Judgement, Key, Source
from service.corpus.refusals import require_collection
from service.errors import InvalidRequest, TooLarge
from service.settings import Settings

# The cursor of a page contains the last query, and the head of a request has a limited size.
_MAX_QUERY = 10_000
# Clocks differ by that much.
_CLOCKS = timedelta(minutes=5)
_ANY_STATED: frozenset[Source] = frozenset({"person", "sent", "generated"})


def check_judgements(
    request: JudgementsRequest,
    documents: Documents,
    settings: Settings,
    by: str | None,
    sources: Set[Source] = _ANY_STATED,
) -> Sequence[Judgement]:
    """Return the judgements of the request, each of them once; those that do not say whose they are are of `by`.

    Raises InvalidRequest, NotFound or TooLarge, which names the judgement at fault.
    """
    if len(request.judgements) > settings.limits.judgements:
        raise too_many_judgements("are", len(request.judgements), settings.limits.judgements)
    if request.collection is not None:
        refuse_nul(request.collection, "collection")
        require_collection(documents, request.collection)
    judgements: dict[Key, Judgement] = {}
    for index, sent in enumerate(request.judgements):
        judgement = _completed(sent, request.collection, by)
        _check(judgement, f"judgements.{index}", request.collection, settings)
        _check_origin(judgement, f"judgements.{index}", sources)
        if judgements.setdefault(judgement.key, judgement).good is not judgement.good:
            raise contradiction(index)
    return list(judgements.values())


def _completed(sent: Judgement, collection: str | None, by: str | None) -> Judgement:
    """The judgement with what the request leaves to others."""
    changes: dict[str, object] = {"by": sent.by or by}
    if collection is not None and "collection" not in sent.model_fields_set:
        changes["collection"] = collection
    if sent.at is not None:
        changes["at"] = sent.at.replace(tzinfo=sent.at.tzinfo or UTC).astimezone(UTC)
    return sent.model_copy(update=changes)


def _check_origin(judgement: Judgement, param: str, sources: Set[Source]) -> None:
    if judgement.source in DERIVED:
        raise derived_source(param, judgement.source)
    if judgement.source not in sources:
        raise not_sent(param, judgement.source)
    if judgement.by is not None:
        refuse_nul(judgement.by, f"{param}.by")
    if judgement.stale:
        raise InvalidRequest(
            f"{param}.stale is for the service to say, and sending a judgement confirms it: leave out stale if it is"
            " right of the document as it is now, or else leave out the judgement",
            f"{param}.stale",
        )
    if judgement.at is not None and judgement.at > datetime.now(UTC) + _CLOCKS:
        raise InvalidRequest(f"{param}.at is in the future: correct it, or leave it out", f"{param}.at")


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


def derived_source(param: str, source: Source) -> InvalidRequest:
    """A request sends a judgement that only events lead to."""
    return InvalidRequest(
        f"{param}.source is {source}, which is derived from what users do (POST /feedback): send person, sent or"
        " generated",
        f"{param}.source",
    )


def not_sent(param: str, source: Source) -> InvalidRequest:
    """A request to replace what was sent has a judgement of another source."""
    return InvalidRequest(
        f"{param}.source is {source}, but PUT replaces what was sent and nothing else: add it with POST",
        f"{param}.source",
    )


def contradiction(index: int) -> InvalidRequest:
    """The judgement at `index` says the opposite of one before it."""
    return InvalidRequest(f"judgements.{index} contradicts one before it: leave one of them out", f"judgements.{index}")


def no_condition() -> InvalidRequest:
    """A request to delete judgements does not say which ones."""
    return InvalidRequest(
        "say which: name collection, query, document, source, stale or unresolved; PUT of [] removes all that was sent"
    )


def cursor_after(key: Key) -> str:
    """Return the cursor of the page that begins after the judgement with that key."""
    # No part of a key has the character U+0000, so it can separate them.
    return base64.urlsafe_b64encode("\0".join(key).encode()).decode()


def key_before(cursor: str) -> Key:
    """Return the key after which a page begins. Raises InvalidRequest for an unknown cursor."""
    try:
        decoded = base64.b64decode(cursor.encode(), b"-_", validate=True).decode()
        collection, query, document, source, voice = decoded.split("\0")
    except (binascii.Error, ValueError) as error:
        raise unknown_cursor() from error
    return collection, query, document, source, voice
