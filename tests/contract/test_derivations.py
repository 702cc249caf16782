"""Derivations of judgements: what a later one has put is not replaced by one that began before, in whatever process."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from datetime import UTC, datetime

import pytest

from service.corpus.judgements import Judgement, Judgements
from service.corpus.memory.store import MemoryStore
from service.corpus.postgres.store import PostgresStore
from service.learning.base import Event
from service.learning.derivations import Derivations, OwnDerivations
from service.learning.postgres.derivations import PostgresDerivations
from service.learning.postgres.store import PostgresFeedbackStore
from service.postgres.database import Database
from tests.support import schemas
from tests.support.postgres import PACKAGED

Two = tuple[Derivations, Derivations, Judgements]


@contextmanager
def own() -> Iterator[Two]:
    judgements = MemoryStore(10).judgements
    derivations = OwnDerivations(judgements)
    yield derivations, derivations, judgements


@contextmanager
def of_replicas() -> Iterator[Two]:
    with databases() as (first, second):
        corpora = [PostgresStore(database, 10) for database in (first, second)]
        one, other = (
            PostgresDerivations(database, corpus.judgements.change)
            for database, corpus in zip((first, second), corpora, strict=True)
        )
        yield one, other, corpora[0].judgements


@contextmanager
def databases() -> Iterator[Sequence[Database]]:
    """Two connections of processes to one schema."""
    with ExitStack() as opened:
        first = opened.enter_context(closing(schemas.new_database(PACKAGED)))
        opened.callback(schemas.drop, first)
        yield first, opened.enter_context(closing(Database(schemas.server(PACKAGED).url(), first.schema)))


KINDS: dict[str, Callable[[], AbstractContextManager[Two]]] = {"own": own, "of replicas": of_replicas}


@pytest.fixture(params=KINDS)
def two(request: pytest.FixtureRequest) -> Iterator[Two]:
    """The derivations of two processes, or of one process alone, and their judgements."""
    with KINDS[request.param]() as made:
        yield made


def clicked(document: str) -> Judgement:
    return Judgement(query="q", document=document, good=True, source="click", weight=0.5)


def test_numbers_grow_whoever_begins(two: Two) -> None:
    one, other, _ = two
    numbers = [derivations.number() for derivations in (one, other, one, other)]
    assert numbers == sorted(set(numbers))


def test_a_derivation_that_began_before_changes_nothing_once_a_later_one_has_put(two: Two) -> None:
    one, other, judgements = two
    before, later = one.number(), other.number()
    assert one.put(before, (), [clicked("a")])
    assert other.put(later, [clicked("a").key], [clicked("b")])
    assert not one.put(before, [clicked("b").key], [clicked("c")])
    assert [judgement.document for judgement in judgements.all()] == ["b"]
    # It goes on until a later one comes.
    assert other.put(later, (), [clicked("d")])
    other.finish(later)
    assert [judgement.document for judgement in judgements.all()] == ["b", "d"]


def test_a_later_one_that_puts_nothing_ends_those_before_it(two: Two) -> None:
    one, other, judgements = two
    before, later = one.number(), other.number()
    assert other.put(later, (), ())
    assert not one.put(before, (), [clicked("a")])
    assert judgements.all() == []


def test_events_of_a_process_that_has_died_are_missed_by_another_one_until_they_are_derived_from() -> None:
    with databases() as (first, second):
        one, other = (
            PostgresDerivations(database, PostgresStore(database, 10).judgements.change) for database in (first, second)
        )
        feedback = PostgresFeedbackStore(first)
        assert not other.missed(0)
        assert not other.missed(0)
        feedback.add([Event("e1", datetime.now(UTC), "good", "default", "q", ("a",))])
        # Seconds count from the first look on.
        assert not other.missed(1000)
        assert other.missed(0)
        unfinished, whole = one.number(), one.number()
        one.finish(unfinished)
        assert other.missed(0)
        one.finish(whole)
        assert not other.missed(0)
