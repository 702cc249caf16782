"""Reads rows of DocsGPT's PostgreSQL, one at a time."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard

from trainer.errors import BadData, ExtraMissing

_URL = re.compile(r"postgres(ql)?(\+\w+)?://")
_QUERY = (
    "SELECT id::text, prompt, response, sources, feedback FROM conversation_messages ORDER BY conversation_id, position"
)
_CONNECT_SECONDS = 10


def is_url(source: Path | str) -> TypeGuard[str]:
    """Whether `source` is the URL of a database and not a file. SQLAlchemy's URLs with a driver count."""
    return isinstance(source, str) and _URL.match(source) is not None


def messages(url: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(location, row) of every message. Raises ExtraMissing without psycopg, BadData if the table cannot be read."""
    try:
        import psycopg  # noqa: PLC0415 (only reading from PostgreSQL needs it)
        from psycopg.rows import dict_row  # noqa: PLC0415
    except ImportError as error:
        raise ExtraMissing(error) from error
    try:
        plain = _URL.sub("postgresql://", url, count=1)
        with psycopg.connect(plain, connect_timeout=_CONNECT_SECONDS, row_factory=dict_row) as connection:
            connection.read_only = True
            # A named cursor stays on the server, so that rows come in portions.
            with connection.cursor("instar") as cursor:
                for row in cursor.execute(_QUERY):
                    yield f"conversation_messages:{row['id']}", row
    # The message leaves out the URL, which may hold a password.
    except psycopg.Error as error:
        raise BadData(
            f"conversation_messages cannot be read from PostgreSQL ({str(error).strip()}): check the URL, and that it"
            " is DocsGPT's database"
        ) from error
