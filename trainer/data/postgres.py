"""Rows of DocsGPT's PostgreSQL, read one at a time."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard

from trainer.errors import BadData

_URL = re.compile(r"postgres(ql)?(\+\w+)?://")
_QUERY = (
    "SELECT id::text, prompt, response, sources, feedback FROM conversation_messages ORDER BY conversation_id, position"
)
_PATIENCE_S = 10


def is_url(source: Path | str) -> TypeGuard[str]:
    """Whether `source` is the URL of a database, also in SQLAlchemy's form with a driver, and not a file."""
    return isinstance(source, str) and _URL.match(source) is not None


def messages(url: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(place, row) of every message; raises BadData if psycopg is missing or the table cannot be read."""
    try:
        import psycopg  # noqa: PLC0415 (only reading from PostgreSQL needs it)
        from psycopg.rows import dict_row  # noqa: PLC0415
    except ImportError as error:
        raise BadData("to read from PostgreSQL, psycopg is needed: pip install 'psycopg[binary]'") from error
    try:
        plain = _URL.sub("postgresql://", url, count=1)
        with psycopg.connect(plain, connect_timeout=_PATIENCE_S, row_factory=dict_row) as connection:
            connection.read_only = True
            # A cursor with a name stays on the server, which hands the rows out in portions.
            with connection.cursor("instar") as cursor:
                for row in cursor.execute(_QUERY):
                    yield f"conversation_messages:{row['id']}", row
    # The URL stays out of the message, since it may have a password.
    except psycopg.Error as error:
        raise BadData(
            f"conversation_messages cannot be read from PostgreSQL ({str(error).strip()}): check the URL, and that it"
            " is DocsGPT's database"
        ) from error
