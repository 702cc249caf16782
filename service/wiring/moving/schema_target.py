"""A schema of PostgreSQL as a move fills it: in one transaction, so that it is whole or as empty as before."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from typing import Any

from service.corpus.postgres import attributes
from service.corpus.sides import text_hash
from service.errors import Conflict
from service.index.postgres.table import register, table_name
from service.learning.postgres.texts import digest
from service.postgres.database import Connection, Database
from service.settings.data_folder import DataFolder
from service.wiring.moving import keys
from service.wiring.moving.contents import Contents
from service.wiring.moving.schema import PATIENT, SchemaContents, column_of
from service.wiring.moving.tables import TABLES, Row, Table, portions

# Columns that SQLite does not have, or not always, and how they follow from the others of a row.
_ADDED: dict[str, tuple[str, Callable[[Row], Any]]] = {
    "documents": ("hash", lambda row: text_hash(row[3].decode())),
    "jobs": ("created", lambda row: json.loads(row[2])["created"]),
    "asked": ("digest", lambda row: digest(row[1], row[2])),
    "dropped": ("digest", lambda row: sha256(row[3].encode()).digest()),
}
_USED = " OR ".join(
    [
        *(f"EXISTS (SELECT FROM {name})" for name in (*(table.name for table in TABLES), "changes", "vector_stores")),
        "EXISTS (SELECT FROM replicas)",
        "EXISTS (SELECT FROM secrets WHERE name <> 'identity')",
        "(SELECT last_seq + last_generation > 0 FROM counters)",
    ]
)
# A service that starts meanwhile waits for these tables, and then finds everything.
_LOCK = "SET LOCAL lock_timeout TO '10s'; LOCK TABLE counters, secrets IN ACCESS EXCLUSIVE MODE"
_NEXT_NUMBERS = (
    "SELECT setval('asked_numbers', max(number)) FROM asked HAVING count(*) > 0;"
    " SELECT setval('event_numbers', max(number)) FROM events HAVING count(*) > 0"
)


class SchemaTarget:
    """The `Target` in a schema. `connection` is in the transaction that fills it."""

    def __init__(self, connection: Connection, database: Database, secrets: DataFolder) -> None:
        self._connection = connection
        self._database = database
        self._secrets = secrets

    @property
    def secrets(self) -> DataFolder:
        """See `Target`."""
        return self._secrets

    def put_counters(self, rows: Iterable[Row]) -> None:
        """See `Target`."""
        statement = "UPDATE counters SET last_seq = %(last_seq)s, last_generation = %(last_generation)s"
        self._connection.execute(statement, dict(rows))

    def put(self, table: Table, rows: Iterable[Row]) -> None:
        """See `Target`."""
        columns = [column_of(table, column) for column in table.columns]
        added, follows = _ADDED.get(table.name, (None, None))
        if added is not None and follows is not None:
            columns.append(added)
        for portion in portions(rows):
            self._copy(table.name, columns, portion if follows is None else [(*row, follows(row)) for row in portion])
            if table.name == "documents":
                self._add_attributes(portion)

    def put_vectors(self, fingerprint: str, dimensions: int, rows: Iterable[Row]) -> None:
        """See `Target`."""
        table = table_name(register(self._connection, fingerprint, dimensions)).as_string(self._connection)
        for portion in portions(rows):
            self._copy(table, ["seq", "vectors", "spans", "checksum"], portion)

    def put_windowings(self, fingerprint: str, dimensions: int, rows: Iterable[Row]) -> None:
        """See `Target`."""
        number = register(self._connection, fingerprint, dimensions)
        for portion in portions(rows):
            self._copy("windowings", ["store", "collection", "windowing"], [(number, *row) for row in portion])

    def note_keys(self) -> None:
        """See `Target`."""
        self._copy("secrets", ["name", "digest"], list(keys.digests(self._secrets)))

    @contextmanager
    def contents(self) -> Iterator[Contents]:
        """See `Target`."""
        yield SchemaContents(self._connection, self._database, self._secrets)

    def _add_attributes(self, portion: Sequence[Row]) -> None:
        by_collection: dict[bytes, list[tuple[int, dict[str, Any]]]] = {}
        for seq, collection, _, _, metadata in portion:
            by_collection.setdefault(collection, []).append((seq, json.loads(metadata)))
        for collection, versions in by_collection.items():
            attributes.insert(self._connection, collection, versions)

    def _copy(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
        with self._connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            for row in rows:
                copy.write_row(row)


@contextmanager
def writing(url: str, schema: str, secrets: DataFolder) -> Iterator[SchemaTarget]:
    """Fill a schema that nobody has used, which is made if it is not there. Its keys will lie in the folder `secrets`.

    All is committed at the end. Raises Conflict if the schema was used, StorageFailed if a process starts there.
    """
    with closing(Database(url, schema, connections=2)) as database, database.write() as connection:
        connection.execute(f"{PATIENT}; {_LOCK}")
        ((is_used,),) = connection.execute(f"SELECT {_USED}".encode()).fetchall()  # (names of this folder)
        if is_used:
            raise Conflict(
                f"the schema {schema!r} was used: name a new one with --schema, or drop it with all that is in it"
            )
        yield SchemaTarget(connection, database, secrets)
        connection.execute(_NEXT_NUMBERS)
        # Until PostgreSQL does it by itself, it would plan searches for empty tables.
        connection.execute(f"ANALYZE {', '.join(table.name for table in TABLES)}".encode())
