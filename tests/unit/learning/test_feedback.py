"""Events, the searches that they are about, and forgetting at the same moment."""

import threading
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from service.corpus.memory.store import MemoryStore
from service.learning.base import Event, LoggedSearch
from service.learning.feedback import Feedback, Place, SentEvent
from service.learning.memory import MemoryFeedbackStore
from service.learning.pseudonyms import Pseudonyms
from service.learning.search_log import SearchLog
from service.learning.turns import Turns
from service.learning.ubi_feedback import UbiFeedback
from service.settings.groups import Searches
from tests.contract.feedback.stores import searched


def sent(identity: str, search: str, document: str) -> SentEvent:
    """A click of bob's on a result of a search."""
    return SentEvent(
        place=Place(), action="click", search=search, query=None, collection=None, documents=(document,), value=None,
        note=None, id=identity, at=None, user="bob", session=None,
    )  # fmt: skip


class SlowStore(MemoryFeedbackStore):
    """Lets others do something between the moment in which an event is checked and the one in which it is stored."""

    def __init__(self) -> None:
        super().__init__()
        self.adding = threading.Event()

    def add(self, events: Sequence[Event], about: Collection[str] = ()) -> int:
        self.adding.set()
        time.sleep(0.1)
        return super().add(events, about)


class CountingStore(MemoryFeedbackStore):
    """Counts how often searches are looked up."""

    lookups = 0

    def named(self, identities: Collection[str]) -> dict[str, LoggedSearch]:
        self.lookups += 1
        return super().named(identities)


def test_the_searches_of_a_whole_batch_are_looked_up_once(tmp_path: Path) -> None:
    store, pseudonyms = CountingStore(), Pseudonyms(tmp_path / "key")
    documents = MemoryStore(10).documents
    feedback = Feedback(store, SearchLog(store, pseudonyms, Searches()), documents, pseudonyms)
    ubi = UbiFeedback(feedback, store, documents, pseudonyms, keeps=True)
    store.log([searched("01", "a", "b"), searched("02", "a", query_id="of another system")])
    store.lookups = 0
    events = [sent(f"e{number}", ("01", "02")[number % 2], "a") for number in range(6)]
    assert feedback.take(events, None) == 0
    assert store.lookups == 1
    events = [sent(f"f{number}", ("01", "of another system")[number % 2], "a") for number in range(6)]
    assert ubi.take_events(events, None) == 0
    assert store.lookups == 2
    assert [event.search for event in store.events()] == ["01", "02"] * 6


def test_an_event_about_the_search_of_a_user_who_is_forgotten_at_that_moment_goes_too(tmp_path: Path) -> None:
    store, pseudonyms = SlowStore(), Pseudonyms(tmp_path / "key")
    feedback = Feedback(store, SearchLog(store, pseudonyms, Searches()), MemoryStore(10).documents, pseudonyms)
    store.log([searched("01", "a", user=pseudonyms.user("ann"))])
    taking = threading.Thread(target=feedback.take, args=([sent("e1", "01", "a")], None))
    taking.start()
    assert store.adding.wait(10)
    assert feedback.forget("ann") == 2
    taking.join()
    assert list(store.events()) == []


def test_many_are_together_and_one_is_alone() -> None:
    turns, met, done = Turns(), threading.Barrier(3), list[str]()

    def together() -> None:
        with turns.together():
            met.wait(10)
            time.sleep(0.05)
            done.append("together")

    def alone() -> None:
        with turns.alone():
            done.append("begins")
            time.sleep(0.05)
            done.append("ends")

    threads = [threading.Thread(target=together) for _ in range(2)]
    for thread in threads:
        thread.start()
    met.wait(10)
    threads += [threading.Thread(target=alone) for _ in range(3)]
    for thread in threads[2:]:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert done == ["together", "together", *["begins", "ends"] * 3]
