"""A schema of PostgreSQL as a move reads it: one moment of it, whoever writes meanwhile."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count

from service.cluster.request import NOTE
from service.errors import NotFound
from service.index.postgres.table import is_there, table_name
from service.postgres.database import Connection, Database, is_made
from service.settings.data_folder import DataFolder
from service.wiring.moving import keys
from service.wiring.moving.tables import USERS, Row, Table

# What this kind of store has besides: what a write makes anew, and what processes say of themselves.
DERIVED_TABLES = frozenset(
    {
        *("attributes", "changes", "counters", "leadership", "migrations", "replicas", "secrets"),
        *("pgvector_indexes", "pgvector_partitions", "vector_stores", "windowings"),
        *("builds", "portions", "derivations", "forgotten"),
    }
)
DERIVED_COLUMNS = frozenset(
    {("documents", "hash"), ("documents", "dead"), ("jobs", "created"), ("asked", "digest"), ("dropped", "digest")}
)

_EXPRESSIONS = {
    ("collections", "written"): """to_char(written AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')""",
    ("judgements", "good"): "good::int",
}
_CONDITIONS = {"documents": " WHERE NOT dead", "notes": f" WHERE name <> '{NOTE}'::bytea"}
_COUNTERS = (
    "SELECT 'last_seq', last_seq FROM counters UNION ALL SELECT 'last_generation', last_generation FROM counters"
)
_VECTORS = (
    "SELECT seq, vectors, spans, checksum FROM {} AS stored"
    " WHERE EXISTS (SELECT FROM documents WHERE documents.seq = stored.seq AND NOT dead)"
)
_WINDOWINGS = (
    "SELECT collection, windowing FROM windowings"
    " JOIN vector_stores ON vector_stores.number = windowings.store WHERE fingerprint = %s"
)
_PROGRESS = (
    "SELECT last_seq, position, judgements_revision, (SELECT max(id) FROM searches), (SELECT max(number) FROM events)"
    " FROM counters"
)
# A move may wait for the other side for longer than a service does nothing in a transaction.
PATIENT = "SET LOCAL idle_in_transaction_session_timeout TO 0"


class SchemaContents:
    """The `Contents` of a schema."""

    def __init__(self, connection: Connection, database: Database, secrets: DataFolder) -> None:
        """Take a connection, in a transaction that sees one moment."""
        self._connection = connection
        self._database = database
        self._secrets = secrets
        self._cursors = count()
        self._progress = connection.execute(_PROGRESS).fetchone()

    @property
    def secrets(self) -> DataFolder:
        """See `Contents`."""
        return self._secrets

    def counters(self) -> Iterator[Row]:
        """See `Contents`."""
        yield from self._connection.execute(_COUNTERS)

    def rows(self, table: Table) -> Iterator[Row]:
        """See `Contents`."""
        columns = ", ".join(
            _EXPRESSIONS.get((table.name, column), column_of(table, column)) for column in table.columns
        )
        condition = _CONDITIONS.get(table.name, "")
        return self._streamed(f"SELECT {columns} FROM {table.name}{condition}")  # noqa: S608  (names of this folder)

    def fingerprints(self) -> dict[str, int]:
        """See `Contents`."""
        rows = self._connection.execute("SELECT fingerprint, dimensions, number FROM vector_stores").fetchall()
        # The table of a store may have been dropped by hand.
        return {name: length for name, length, number in rows if is_there(self._connection, table_name(number))}

    def vectors(self, fingerprint: str) -> Iterator[Row]:
        """See `Contents`."""
        rows = self._connection.execute("SELECT number FROM vector_stores WHERE fingerprint = %s", (fingerprint,))
        ((number,),) = rows.fetchall()
        return self._streamed(_VECTORS.format(table_name(number).as_string(self._connection)))

    def windowings(self, fingerprint: str) -> Iterator[Row]:
        """See `Contents`."""
        yield from self._connection.execute(_WINDOWINGS, (fingerprint,)).fetchall()

    def has_changed(self) -> bool:
        """See `Contents`."""
        with self._database.read() as connection:
            return connection.execute(_PROGRESS).fetchone() != self._progress

    def _streamed(self, statement: str) -> Iterator[Row]:
        with self._connection.cursor(f"moved_{next(self._cursors)}", binary=True) as cursor:
            cursor.itersize = 1000
            cursor.execute(statement.encode())
            yield from cursor


@contextmanager
def reading(url: str, schema: str, secrets: DataFolder) -> Iterator[SchemaContents]:
    """Read a schema whose keys lie in the folder `secrets`.

    Raises NotFound if no service has used it, Conflict if the keys are others, StorageFailed if it cannot be read.
    """
    if not is_made(url, schema):
        raise NotFound(f"there is no corpus in the schema {schema!r}: name the schema of a service with --schema")
    with closing(Database(url, schema, connections=2)) as database, database.snapshot() as connection:
        connection.execute(PATIENT)
        known = connection.execute("SELECT name, digest FROM secrets WHERE name <> 'identity'").fetchall()
        keys.require(secrets, {name: bytes(digest) for name, digest in known})
        yield SchemaContents(connection, database, secrets)


def column_of(table: Table, column: str) -> str:
    """Return how PostgreSQL calls the column."""
    return "user_hash" if table in USERS and column == "user" else column
