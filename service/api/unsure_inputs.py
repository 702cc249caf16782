"""Checks of passages of which a person is not sure."""

from service.api.inputs import refuse_nul
from service.corpus.base import Documents
from service.errors import InvalidRequest, NotFound


def check_person(by: str | None, key: str | None) -> str:
    """Return who is not sure. Raises InvalidRequest if nobody says."""
    person = by or key
    if person is None:
        raise nobody_named()
    refuse_nul(person, "by")
    return person


def text_of(documents: Documents, collection: str, identity: str) -> str:
    """Return the text of a document. Raises NotFound if it is not there."""
    for name, value in (("collection", collection), ("document", identity)):
        refuse_nul(value, name)
    version = documents.get(collection, identity)
    if version is None:
        raise nothing_to_read(collection, identity)
    return version.document.text


def nobody_named() -> InvalidRequest:
    """Neither the request nor a key says whose word it is."""
    return InvalidRequest("by is missing, and no key names anybody: say who is not sure", "by")


def nothing_to_read(collection: str, identity: str) -> NotFound:
    """There is no such document, so nobody can be unsure of it."""
    return NotFound(
        f"the collection {collection[:80]!r} has no document {identity[:80]!r}: take an id from the queue", "document"
    )
