"""Errors about searches that are kept, and about their users."""

from service.errors import InvalidRequest, NotFound


def search_not_kept(identity: str) -> NotFound:
    """There is no search with that id."""
    return NotFound(f"there is no search {identity[:80]!r}: GET /admin/searches lists those that are kept", "identity")


def nothing_of_user() -> NotFound:
    """Nothing is known of a user."""
    return NotFound("there is nothing of this user: it is removed already, or nothing was sent with that name", "user")


def collection_without_document() -> InvalidRequest:
    """A list of searches names a collection, and no document in it."""
    return InvalidRequest("collection is that of document: send document as well, or leave collection out", "document")
