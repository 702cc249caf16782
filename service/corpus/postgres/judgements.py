"""Judgements in PostgreSQL, beside the documents."""

from collections.abc import Callable, Sequence, Set
from datetime import UTC, datetime

from service.corpus.errors import too_many_judgements
from service.corpus.judgements import (
    ANY,
    DERIVED,
    SENT,
    STATED,
    JudgedCounts,
    Judgement,
    JudgementFilter,
    Key,
    Outcome,
    Pair,
    Side,
    Source,
)
from service.corpus.postgres import judgement_rows
from service.corpus.postgres.change_log import PostgresChangeLog
from service.corpus.postgres.judgement_queries import columns_of, count_judged, disputed, where
from service.corpus.postgres.judgement_rows import KEY, LISTED, judgement_of
from service.corpus.postgres.sides import side_of
from service.corpus.refusals import unresolved_judgements
from service.postgres.database import Connection, Database

_COUNT = "SELECT count(*), count(*) FILTER (WHERE unresolved) FROM judged"
_REMOVE = (
    "DELETE FROM judgements WHERE (collection, query, document, source, voice)"
    " IN (SELECT collection, query, document, source, voice FROM judged{})"
)
_DISCARD = (
    "DELETE FROM judgements AS here USING unnest(%s::bytea[], %s::bytea[], %s::bytea[], %s::text[], %s::bytea[])"
    " AS gone (collection, query, document, source, voice)"
    " WHERE (here.collection, here.query, here.document, here.source, here.voice)"
    " = (gone.collection, gone.query, gone.document, gone.source, gone.voice)"
)


class PostgresJudgements:
    """The `Judgements` of a schema: `limit` derived ones at most, and as many others.

    The revision is of all processes, so what one of them counts is known to be old when another one changes it.
    """

    def __init__(self, database: Database, log: PostgresChangeLog, limit: int) -> None:
        self._database = database
        self._log = log
        self._limit = limit
        # The revision at which the judged queries were counted last, and their numbers.
        self._counted = (-1, JudgedCounts(0, 0))

    def add(self, judgements: Sequence[Judgement], collection: str | None = None) -> Outcome:
        return self._put(judgements, collection, None)

    def replace(
        self, judgements: Sequence[Judgement], collection: str | None = None, sources: Set[Source] = SENT
    ) -> Outcome:
        return self._put(judgements, collection, JudgementFilter(collection, sources=frozenset(sources)))

    def remove(self, conditions: JudgementFilter) -> int:
        with self._log.hearing_turn() as turn:
            _revise(turn.connection)
            return _remove(turn.connection, conditions)

    def discard(self, keys: Sequence[Key]) -> int:
        with self._log.hearing_turn() as turn:
            return _discard(turn.connection, keys)

    def change(self, gone: Sequence[Key], fresh: Sequence[Judgement], is_wanted: Callable[[Connection], bool]) -> bool:
        """Discard and add in one transaction, if `is_wanted` says so within it. Returns whether. Raises like `add`."""
        with self._log.hearing_turn() as turn:
            if not is_wanted(turn.connection):
                return False
            if gone:
                _discard(turn.connection, gone)
            if fresh:
                self._put_in(turn.connection, fresh, None, None)
            return True

    def all(self, conditions: JudgementFilter = ANY) -> list[Judgement]:
        return self._listed(conditions, None, None)

    def page(self, conditions: JudgementFilter, after: Key | None, limit: int) -> list[Judgement]:
        return self._listed(conditions, after, limit)

    def side_of(self, query: str) -> Side | None:
        with self._database.read() as connection:
            return side_of(connection, query)

    def counts(self, conditions: JudgementFilter = ANY) -> tuple[int, int]:
        clause, values = where(conditions)
        with self._database.read() as connection:
            ((count, unresolved),) = connection.execute(f"{_COUNT}{clause}".encode(), values).fetchall()
        return int(count), int(unresolved)

    def judged(self) -> JudgedCounts:
        revision, judged = self._counted
        current = self.revision()
        if revision != current:
            with self._database.read() as connection:
                judged = count_judged(connection)
            self._counted = current, judged
        return judged

    def disputed(self, collection: str | None, limit: int) -> list[Pair]:
        with self._database.read() as connection:
            return disputed(connection, collection, limit)

    def revision(self) -> int:
        with self._database.read() as connection:
            ((revision,),) = connection.execute("SELECT judgements_revision FROM counters").fetchall()
        return int(revision)

    def _listed(self, conditions: JudgementFilter, after: Key | None, limit: int | None) -> list[Judgement]:
        clause, values = where(conditions, after)
        query = f"{LISTED}{clause} ORDER BY {KEY} LIMIT %s".encode()
        with self._database.read() as connection:
            return list(map(judgement_of, connection.execute(query, [*values, limit], binary=True)))

    def _put(
        self, judgements: Sequence[Judgement], collection: str | None, replaced: JudgementFilter | None
    ) -> Outcome:
        with self._log.hearing_turn() as turn:
            return self._put_in(turn.connection, judgements, collection, replaced)

    def _put_in(
        self,
        connection: Connection,
        judgements: Sequence[Judgement],
        collection: str | None,
        replaced: JudgementFilter | None,
    ) -> Outcome:
        now = datetime.now(UTC).replace(microsecond=0)
        latest = [_stamped(judgement, now) for judgement in {one.key: one for one in judgements}.values()]
        _revise(connection)
        rows = judgement_rows.of_present_texts(connection, latest)
        unresolved = sum(row.text is None for row in rows)
        if collection is not None and latest and unresolved == len(latest):
            raise unresolved_judgements(collection, latest)
        stored = judgement_rows.stored(connection, [one.key for one in latest])
        former = {row.judgement.key: row for row in stored}
        removed = 0
        if replaced is not None:
            removed = _remove(connection, replaced) - len(former)
        judgement_rows.insert(connection, [judgement_rows.after(former.get(row.judgement.key), row) for row in rows])
        self._check_limit(connection, latest)
        ((count,),) = connection.execute("SELECT count(*) FROM judgements").fetchall()
        judged = count_judged(connection)
        others = [(former[row.judgement.key].judgement, row.judgement) for row in rows if row.judgement.key in former]
        return Outcome(
            judgements=int(count),
            queries=judged.queries,
            judging=judged.judging,
            added=len(rows) - len(others),
            changed=sum(before.stale or not before.says_like(new) for before, new in others),
            removed=removed,
            unresolved=unresolved,
        )

    def _check_limit(self, connection: Connection, judgements: Sequence[Judgement]) -> None:
        for sources in (DERIVED, frozenset(STATED)):
            if any(judgement.source in sources for judgement in judgements):
                ((count,),) = connection.execute(
                    "SELECT count(*) FROM judgements WHERE source = ANY(%s)", (sorted(sources),)
                ).fetchall()
                if count > self._limit:
                    raise too_many_judgements("would be", count, self._limit)


def _revise(connection: Connection) -> None:
    connection.execute("UPDATE counters SET judgements_revision = judgements_revision + 1")


def _discard(connection: Connection, keys: Sequence[Key]) -> int:
    _revise(connection)
    columns = [list(column) for column in zip(*map(columns_of, keys), strict=True)] or [[]] * 5
    return connection.execute(_DISCARD, columns).rowcount


def _stamped(judgement: Judgement, now: datetime) -> Judgement:
    return judgement if judgement.at is not None else judgement.model_copy(update={"at": now})


def _remove(connection: Connection, conditions: JudgementFilter) -> int:
    clause, values = where(conditions)
    return connection.execute(_REMOVE.format(clause).encode(), values).rowcount
