"""The `FeedbackStore` in a schema of PostgreSQL, to which any number of processes write at once."""

import json
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from service.corpus import dump
from service.errors import Conflict
from service.learning.base import LOOKED_THROUGH, Event, Frequency, Impressions, LoggedSearch, SearchGone
from service.learning.insights import Insights, Period
from service.learning.outcomes import Tally
from service.learning.postgres import insights, questions, removing
from service.learning.postgres.forgotten import not_forgotten
from service.learning.postgres.moments import by_the_server
from service.learning.postgres.tables import DROPPED, EVENTS, SEARCHES, insert, taking
from service.learning.postgres.texts import ask, digest, storable
from service.learning.rows import event_of, event_row, microseconds, search_of, search_row, shown_as
from service.postgres import clock
from service.postgres.database import Connection, Database
from service.postgres.erasing import erase_deleted

_PAGE = 500
_INSERT_SEARCHES = taking(
    "id text, at bigint, asked bytea, mode text, k bigint, generation bigint, checkpoint text, documents text,"
    " scores text, filter text, reranker text, key text, user_hash text, session text, query_id text",
    "INSERT INTO searches SELECT id, at, (SELECT number FROM asked WHERE asked.digest = sent.asked), mode, k,"
    " generation, checkpoint, documents, scores, filter, reranker, key, user_hash, session, query_id"
    " FROM {sent} ON CONFLICT DO NOTHING",
)
# Numbers are drawn in the order of arrival; rows are inserted in an order that is the same for all transactions.
_INSERT_EVENTS = taking(
    "id text, at bigint, action text, asked bytea, documents text, search text, value float8, note text, key text,"
    " user_hash text, session text",
    "INSERT INTO events SELECT * FROM ("
    "SELECT nextval('event_numbers'), id, at, action, (SELECT number FROM asked WHERE asked.digest = sent.asked),"
    " documents, search, value, note, key, user_hash, session,"
    " (SELECT user_hash FROM searches WHERE searches.id = sent.search) FROM {sent}"
    ") AS numbered ORDER BY id ON CONFLICT DO NOTHING",
)
_NAMED = f"{SEARCHES} WHERE searches.id = ANY(%(names)s::text[]) OR query_id = ANY(%(names)s::text[])"
_SHOWING = (
    "searches.id IN (SELECT id FROM (SELECT id, documents FROM searches ORDER BY id DESC LIMIT %s) AS latest"
    " WHERE strpos(documents, %s) > 0) AND collection = %s"
)
_COUNT = "SELECT count(*) FROM asked JOIN searches ON searches.asked = asked.number"
_COUNT_SEARCHES = "SELECT count(*) FROM searches WHERE id = ANY(%s::text[])"
_KNOWS_USERS = (
    "SELECT EXISTS (SELECT 1 FROM searches WHERE user_hash IS NOT NULL)"
    " OR EXISTS (SELECT 1 FROM events WHERE user_hash IS NOT NULL)"
    " OR EXISTS (SELECT 1 FROM dropped WHERE user_hash <> '')"
)
_TABLES = ("asked", "searches", "events", "dropped", "daily")
_SIZE = "SELECT sum(pg_total_relation_size(name::regclass))::bigint FROM unnest(%s::text[]) AS name"
# A row as text has what lies outside of the pages of its table, too.
_READ_ALL = (
    "SELECT (SELECT count(hashtext(asked::text)) FROM asked), (SELECT count(hashtext(searches::text)) FROM searches),"
    " (SELECT count(hashtext(events::text)) FROM events), (SELECT count(hashtext(dropped::text)) FROM dropped),"
    " (SELECT count(hashtext(daily::text)) FROM daily)"
)


class PostgresFeedbackStore:
    """Searches and events in `database`, which is closed with the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle a store that has connections of its own. Raises StorageFailed if the server cannot be used."""
        self.knows_users()
        return PostgresFeedbackStore, (self._database,)

    def log(self, searches: Sequence[LoggedSearch]) -> int:
        with self._database.write() as connection:
            kept = not_forgotten(connection, searches)
            ask(connection, ((search.collection, search.query) for search in kept))
            # A search may meet another one by its query_id or by its id, so all are inserted in one order.
            rows = sorted(map(_search_row, by_the_server(connection, kept)), key=lambda row: (row[-1] or "", row[0]))
            return len(kept) - insert(connection, _INSERT_SEARCHES, rows)

    def named(self, identities: Collection[str]) -> dict[str, LoggedSearch]:
        if not identities:
            return {}
        with self._database.read() as connection:
            rows = connection.execute(_NAMED, {"names": list(map(storable, identities))}).fetchall()
        searches = [search_of(row) for row in rows]
        by_name = {search.query_id: search for search in searches} | {search.id: search for search in searches}
        return {identity: by_name[identity] for identity in identities if identity in by_name}

    def searches(self, after: str | None, limit: int, showing: tuple[str, str] | None = None) -> list[LoggedSearch]:
        clauses: list[str] = []
        values: list[Any] = []
        if after is not None:
            clauses += ["searches.id < %s"]
            values += [after]
        if showing is not None:
            collection, document = showing
            clauses += [_SHOWING]
            values += [LOOKED_THROUGH, shown_as(document), storable(collection)]
        where = f" WHERE {' AND '.join(clauses)}" if clauses else ""
        with self._database.read() as connection:
            rows = connection.execute(f"{SEARCHES}{where} ORDER BY searches.id DESC LIMIT %s", [*values, limit])
            return [search_of(row) for row in rows]

    def count_showing(self, collection: str, document: str) -> int:
        with self._database.read() as connection:
            values = (LOOKED_THROUGH, shown_as(document), storable(collection))
            ((count,),) = connection.execute(f"{_COUNT} WHERE {_SHOWING}", values).fetchall()
        return int(count)

    def add(self, events: Sequence[Event], about: Collection[str] = ()) -> int:
        by_id: dict[str, Event] = {}
        for event in events:
            by_id.setdefault(event.id, event)
        # The server syncs the disk once for several transactions. To gather those of eight threads in one transaction,
        # as for SQLite, took some of them six times as long, and all of them no less.
        with self._database.write() as connection:
            ask(connection, ((event.collection, event.query) for event in by_id.values()))
            # From here on nobody is forgotten.
            if about and _value(connection, _COUNT_SEARCHES, (list(about),)) < len(about):
                raise SearchGone
            stamped = by_the_server(connection, list(by_id.values()))
            rows = [event_row(event, digest(event.collection, event.query)) for event in stamped]
            return len(events) - insert(connection, _INSERT_EVENTS, rows)

    def events(self) -> Iterator[Event]:
        last = 0
        # A page at a time, because a long read would keep VACUUM from its work.
        while True:
            with self._database.read() as connection:
                rows = connection.execute(
                    f"{EVENTS} WHERE events.number > %s ORDER BY events.number LIMIT %s", (last, _PAGE)
                ).fetchall()
            if not rows:
                return
            last = rows[-1][0]
            yield from map(event_of, rows)

    def impressions(self) -> Iterator[Impressions]:
        last = 0
        while True:
            tally = Tally()
            # One moment for all: a search may be dropped in between.
            with self._database.snapshot() as connection:
                numbers = connection.execute(
                    "SELECT number FROM asked WHERE number > %s ORDER BY number LIMIT %s", (last, _PAGE)
                ).fetchall()
                if not numbers:
                    return
                first, last = last + 1, numbers[-1][0]
                _tally(connection, tally, (first, last))
            yield from tally.impressions()

    def thumbs(self, collection: str | None, limit: int) -> list[Event]:
        with self._database.read() as connection:
            return questions.thumbs(connection, collection, limit)

    def most_asked(self, collection: str | None, recent: int, limit: int) -> tuple[int, list[Frequency]]:
        with self._database.read() as connection:
            return questions.most_asked(connection, collection, recent, limit)

    def insights(self, period: Period) -> Insights:
        with self._database.read() as connection:
            return insights.count(connection, period)

    def forget(self, user: str) -> int:
        """See `FeedbackStore`. PostgreSQL's log and backups are out of reach, as `service.postgres.erasing` says."""
        with self._database.write() as connection:
            removed = removing.forget(connection, user)
        # Also if nothing was there: an earlier attempt may have ended before this.
        erase_deleted(self._database, _TABLES)
        return removed

    def knows_users(self) -> bool:
        with self._database.read() as connection:
            return bool(_value(connection, _KNOWS_USERS))

    def now(self) -> datetime:
        with self._database.read() as connection:
            return clock.now(connection)

    def drop(self, before: datetime) -> int:
        with self._database.write() as connection:
            return removing.drop(connection, microseconds(before))

    def size(self) -> int:
        with self._database.read() as connection:
            return int(_value(connection, _SIZE, (list(_TABLES),)))

    def backup(self, target: Path) -> None:  # noqa: ARG002
        """See `FeedbackStore`; raises Conflict, because PostgreSQL has backups of its own."""
        raise backed_up_by_its_server(self._database.schema)

    def check(self) -> None:
        """See `FeedbackStore`. Every value is read; pg_amcheck looks through the indexes as well."""
        with self._database.read() as connection:
            connection.execute(_READ_ALL)

    def close(self) -> None:
        self._database.close()


def _search_row(search: LoggedSearch) -> tuple[Any, ...]:
    identity, at, collection, query, *more = search_row(search)
    return identity, at, digest(collection, query), *more


def _tally(connection: Connection, tally: Tally, page: tuple[int, int]) -> None:
    """Count what was shown to the queries with numbers from one to another."""
    events = connection.execute(f"{EVENTS} WHERE asked BETWEEN %s AND %s AND search IS NOT NULL", page)
    # There may be more searches of a query than fit into memory.
    with connection.cursor("searches") as searches:
        searches.execute(f"{SEARCHES} WHERE asked BETWEEN %s AND %s", page)
        tally.add_all(map(search_of, searches), map(event_of, events))
    for collection, query, generation, documents, times in connection.execute(
        f"{DROPPED} WHERE dropped.asked BETWEEN %s AND %s", page
    ):
        tally.add_shown(collection, query, generation, json.loads(documents), times)


def _value(connection: Connection, statement: str, values: Sequence[Any] = ()) -> Any:
    (value,) = connection.execute(statement, values).fetchone() or (None,)
    return value


def backed_up_by_its_server(schema: str) -> Conflict:
    """Searches and events are in a schema of PostgreSQL, so the service writes no copy of them."""
    return Conflict(
        "searches and feedback are in PostgreSQL, which has backups of its own: run"
        f" {dump.command(schema, 'instar.dump')}, or archive its log"
    )
