"""The files in which a service keeps something: those of its data folder, and those of its tables in PostgreSQL."""

from pathlib import Path
from typing import Any

import psycopg

from tests.support.server import Server

# Tables and indexes of a schema, and what lies outside of the pages of its tables.
_FILES = """
WITH tables AS (SELECT oid, reltoastrelid FROM pg_class WHERE relnamespace = %s::regnamespace),
kept AS (SELECT oid FROM tables UNION SELECT reltoastrelid FROM tables),
indexed AS (SELECT oid FROM kept UNION SELECT indexrelid FROM pg_index WHERE indrelid IN (SELECT oid FROM kept))
SELECT pg_relation_filepath(oid) FROM indexed WHERE pg_relation_filepath(oid) IS NOT NULL
"""


def legible(server: Server, words: set[str]) -> set[str]:
    """The words that some file of the service has, in any encoding. PostgreSQL's log of writes is not looked at."""
    contents = [path.read_bytes() for path in _files(server)]
    return {word for word in words if any(form in content for content in contents for form in _forms(word))}


def _forms(word: str) -> list[bytes]:
    return [word.encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be")]


def _files(server: Server) -> list[Path]:
    files = [path for path in server.data.rglob("*") if path.is_file()]
    return files + (_tables(server.settings) if "STORE" in server.settings else [])


def _tables(settings: dict[str, Any]) -> list[Path]:
    with psycopg.connect(settings["STORE"], autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        ((folder,),) = connection.execute("SHOW data_directory").fetchall()
        # A table of more than a gigabyte has further files, and no test has one.
        paths = connection.execute(_FILES, (settings["REPLICAS__DB_SCHEMA"],)).fetchall()
    return [path for (name,) in paths if (path := Path(folder) / name).exists()]
