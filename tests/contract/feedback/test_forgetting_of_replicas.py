"""What one process knows of a user does not come back after another one has forgotten that user."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from service.corpus.memory.store import MemoryStore
from service.errors import NotFound
from service.learning.base import LoggedSearch, SearchGone
from service.learning.feedback import Feedback, Place, SentEvent
from service.learning.ids import TimeOrderedIds
from service.learning.postgres import forgotten
from service.learning.postgres.store import PostgresFeedbackStore
from service.learning.pseudonyms import Pseudonyms
from service.learning.search_log import SearchLog
from service.postgres.database import Database
from service.settings.groups import Searches
from tests.contract.feedback.stores import NOON, did, searched
from tests.support import schemas
from tests.support.postgres import PACKAGED

ids = TimeOrderedIds()


@pytest.fixture
def replicas() -> Iterator[Sequence[PostgresFeedbackStore]]:
    """Two stores on one schema."""
    with ExitStack() as opened:
        database = opened.enter_context(closing(schemas.new_database(PACKAGED)))
        opened.callback(schemas.drop, database)
        url = schemas.server(PACKAGED).url()
        yield [opened.enter_context(closing(PostgresFeedbackStore(Database(url, database.schema)))) for _ in range(2)]


def asked(query: str = "q", user: str | None = "u1") -> LoggedSearch:
    """A search that is asked now, and has shown the document "a"."""
    return replace(searched(ids.new(), "a", query=query), user=user)


def test_a_search_that_waits_while_its_user_is_forgotten_is_not_stored(
    replicas: Sequence[PostgresFeedbackStore],
) -> None:
    waiting = [asked("of u1"), asked("of nobody", None), asked("of u2", "u2")]
    assert replicas[0].forget("u1") == 0
    assert replicas[1].log(waiting) == 0
    assert [search.query for search in replicas[0].searches(None, 9)] == ["of u2", "of nobody"]
    # Who comes back is a user like others.
    again = asked("of u1 again")
    assert replicas[1].log([again]) == 0
    assert replicas[0].named([again.id]) == {again.id: again}
    assert replicas[0].forget("u1") == 1


def test_a_search_that_waits_for_longer_than_users_are_remembered_is_not_stored(
    replicas: Sequence[PostgresFeedbackStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = [asked("of u1"), asked("of nobody", None)]
    monkeypatch.setattr(forgotten, "_REMEMBERED", -1.0)
    monkeypatch.setattr(forgotten, "_LONGEST_WAIT", 0.0)
    replicas[0].forget("u1")
    replicas[0].drop(NOON)
    with replicas[0]._database.read() as connection:
        assert connection.execute("SELECT count(*) FROM forgotten").fetchall() == [(0,)]
    replicas[1].log(waiting)
    assert [search.query for search in replicas[0].searches(None, 9)] == ["of nobody"]


def test_events_about_a_search_that_has_gone_meanwhile_are_not_stored(
    replicas: Sequence[PostgresFeedbackStore],
) -> None:
    search = asked("of u1")
    replicas[0].log([search])
    events = [did("e1", "good", "a", search=search.id, query="of u1", user="u2")]
    assert replicas[1].add(events, {search.id}) == 0
    assert replicas[0].forget("u1") == 2
    with pytest.raises(SearchGone):
        replicas[1].add(events, {search.id})
    assert list(replicas[0].events()) == []
    assert replicas[1].add(events) == 0


def test_feedback_that_meets_the_forgetting_of_its_search_is_told_that_there_is_none(
    replicas: Sequence[PostgresFeedbackStore], tmp_path: Path
) -> None:
    class Interrupted(PostgresFeedbackStore):
        """Another process forgets the user after this one has read the search."""

        def named(self, identities: Collection[str]) -> dict[str, LoggedSearch]:
            searches = super().named(identities)
            replicas[0].forget("u1")
            return searches

    search = asked("of u1")
    replicas[0].log([search])
    store = Interrupted(replicas[1]._database)
    pseudonyms = Pseudonyms(tmp_path / "key")
    feedback = Feedback(store, SearchLog(store, pseudonyms, Searches()), MemoryStore(10).documents, pseudonyms)
    sent = SentEvent(Place("events.0."), "good", search.id, None, None, ["a"], None, None, None, None, "ann", None)
    with pytest.raises(NotFound) as refused:
        feedback.take([sent], None)
    assert refused.value.param == "events.0.search"
    assert list(replicas[0].events()) == []
