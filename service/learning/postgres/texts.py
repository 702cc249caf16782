"""The texts that were asked: each is stored once, and other tables have its number."""

import hashlib
from collections.abc import Iterable

from service.learning.postgres.tables import insert, taking
from service.postgres.database import Connection

# Numbers are drawn in the order in which the texts come. They are inserted in another one, which is the same for all
# transactions: so none waits for a text of another that waits for one of its own.
_INSERT = taking(
    "digest bytea, collection text, query text",
    "INSERT INTO asked SELECT * FROM (SELECT nextval('asked_numbers'), sent.* FROM {sent}) AS numbered"
    " ORDER BY digest ON CONFLICT DO NOTHING",
)


def ask(connection: Connection, texts: Iterable[tuple[str, str]]) -> None:
    """Store the texts, each with its collection before it, that are not there yet.

    It comes first in a transaction: from here to the end of it, nobody removes a text that nothing refers to.
    """
    insert(connection, _INSERT, [(digest(*text), *text) for text in dict.fromkeys(texts)])


def digest(collection: str, query: str) -> bytes:
    """Return what `asked` has in place of a text in its index."""
    return hashlib.sha256(f"{collection}\0{query}".encode()).digest()


def storable(text: str) -> str | None:
    """Return the text, or None, which equals nothing, if no table can have it: PostgreSQL refuses U+0000."""
    return None if "\0" in text else text
