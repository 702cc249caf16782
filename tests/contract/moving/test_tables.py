"""The lists of tables name every table and every column of both kinds of store: whoever adds one decides about it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

from service.settings.data_folder import DataFolder
from service.wiring.moving import folder, schema
from service.wiring.moving.tables import CORPUS, TABLES, USERS
from tests.contract.moving.conftest import Schema

Column = tuple[str, str]
_COLUMNS = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = %s"
_COLUMNS_OF_SQLITE = (
    "SELECT tables.name, columns.name FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns"
    " WHERE tables.type = 'table'"
)
_VIEWS = {"judged"}


def decided(derived_tables: frozenset[str], columns: set[Column], derived: frozenset[Column]) -> set[Column]:
    """The columns of tables that are not left out as wholes, without those that are left out alone."""
    return {(table, column) for table, column in columns if table not in derived_tables | _VIEWS} - derived


def test_every_column_of_sqlite_is_moved_or_derived(data: DataFolder) -> None:
    for path, tables in ((data.corpus, CORPUS), (data.learning, USERS)):
        with closing(sqlite3.connect(path)) as connection:
            columns = set(connection.execute(_COLUMNS_OF_SQLITE))
        moved = {(table.name, column) for table in tables for column in table.columns}
        assert decided(folder.DERIVED_TABLES, columns, folder.DERIVED_COLUMNS) == moved


def test_every_column_of_postgresql_is_moved_or_derived(new_schema: Callable[[], Schema]) -> None:
    place = new_schema()
    with place.connected() as connection:
        columns = set(connection.execute(_COLUMNS, (place.name,)))
    moved = {(table.name, schema.column_of(table, column)) for table in TABLES for column in table.columns}
    assert decided(schema.DERIVED_TABLES, columns, schema.DERIVED_COLUMNS) == moved
    # What is left out is there, so that the lists have nothing that is gone.
    assert {table for table, _ in columns} >= schema.DERIVED_TABLES
