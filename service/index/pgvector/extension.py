"""The extension pgvector: made where it is missing, and refused where it is too old."""

import psycopg

from service.errors import StorageFailed
from service.postgres.database import Connection

# The first version that goes on with a search until there are enough results.
_LEAST = (0, 8)
# The key of the lock under which it is made: "vector" in ASCII.
_LOCK = 0x766563746F72
_INSTEAD = "or set INSTAR_INDEX__KIND=faiss"


def schema_of_pgvector(connection: Connection) -> str:
    """Return the schema in which the extension lies. It is made if the database does not have it.

    Raises StorageFailed if it cannot be made, or is of a version before 0.8.
    """
    installed = _installed(connection)
    if installed is None:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        try:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
        except (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFile) as error:
            raise StorageFailed(
                "PostgreSQL does not have the extension vector: install pgvector 0.8 or later on the server, "
                + _INSTEAD
            ) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise StorageFailed(
                "the database does not have the extension vector, and INSTAR_STORE's user may not make it: let an"
                " administrator run CREATE EXTENSION vector in it, " + _INSTEAD
            ) from error
        installed = _installed(connection)
    schema, version = installed or ("", "0")
    if tuple(int(number) for number in version.split(".")[:2]) < _LEAST:
        raise StorageFailed(
            f"the extension vector is of version {version}, which stops a search too early: install pgvector 0.8 or"
            f" later on the server and run ALTER EXTENSION vector UPDATE, {_INSTEAD}"
        )
    return schema


def _installed(connection: Connection) -> tuple[str, str] | None:
    row = connection.execute(
        "SELECT nspname, extversion FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace"
        " WHERE extname = 'vector'"
    ).fetchone()
    return None if row is None else (str(row[0]), str(row[1]))
