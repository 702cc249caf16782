"""Many rows by few statements.

The interpreter is free while a statement runs. With a statement for each row, its thread would take the interpreter as
often as there are rows, and each time hold up the searches that are answered then.
"""

import sqlite3
from collections.abc import Iterable
from itertools import chain, islice
from typing import Any

# Rows of one statement. To hand over their values takes the interpreter for less time than a search would notice.
_MOST_ROWS = 64


def insert(connection: sqlite3.Connection, into: str, row: str, rows: Iterable[tuple[Any, ...]]) -> int:
    """Run the statement `into` with the `rows` as its VALUES, and return how many were inserted.

    `row` is one row of VALUES in SQL, with as many placeholders as a row has values.
    """
    inserted, remaining = 0, iter(rows)
    while some := list(islice(remaining, _MOST_ROWS)):
        while some:
            # A power of two, because SQLite has to compile a statement for each size.
            size = 1 << len(some).bit_length() - 1
            values = list(chain.from_iterable(some[:size]))
            inserted += connection.execute(f"{into} VALUES {', '.join([row] * size)}", values).rowcount
            del some[:size]
    return inserted
