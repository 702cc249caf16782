"""Searches are kept and dropped, events count once, and a user can be forgotten."""

from dataclasses import replace
from datetime import timedelta

from service.learning.base import FeedbackStore, Impressions
from tests.contract.feedback.stores import NOON, counts, did, impressions, searched


def test_searches_are_read_as_they_were_written_and_listed_latest_first(store: FeedbackStore) -> None:
    full = searched("03", "a", "b", filter='{"n": 1}', reranker="r@1", key="app", user="u1", session="s1")
    store.log([searched("01", "a"), searched("02")])
    store.log([full, searched("01", "z")])
    assert store.search("03") == full
    assert store.search("04") is None
    store.check()
    assert [search.id for search in store.searches(None, 2)] == ["03", "02"]
    assert store.searches("02", 10) == [searched("01", "a")]
    assert store.searches("01", 10) == []


def test_an_event_counts_once_however_often_it_is_sent(store: FeedbackStore) -> None:
    store.log([searched("01", "a", "b")])
    click = did("e1", "click", "b", search="01", note="n", key="app", user="u", session="s")
    good = did("e2", "good", "a", value=0.5)
    assert store.add([click, good, click]) == 1
    assert store.add([click, replace(good, action="bad")]) == 2
    assert store.add([]) == 0
    assert list(store.events()) == [click, good]
    assert counts(store) == {("a", 1): (1, 0, 1, 0), ("b", 2): (1, 1, 0, 0)}


def test_impressions_are_counted_by_query_document_generation_and_rank(store: FeedbackStore) -> None:
    store.log([searched("01", "a", "b"), searched("02", "a", "b", user="u1"), searched("03", "b", "a", generation=2)])
    store.log([searched("04", "a", collection="other"), searched("05", "a", query="p")])
    assert impressions(store) == {
        Impressions("default", "q", "a", 1, 1, shown=2),
        Impressions("default", "q", "b", 1, 2, shown=2),
        Impressions("default", "q", "b", 2, 1, shown=1),
        Impressions("default", "q", "a", 2, 2, shown=1),
        Impressions("other", "q", "a", 1, 1, shown=1),
        Impressions("default", "p", "a", 1, 1, shown=1),
    }


def test_a_search_counts_a_click_once_and_as_skipped_what_stood_above_the_lowest(store: FeedbackStore) -> None:
    store.log([searched("01", "a", "b", "c", "d", user="u1")])
    store.add([did("e1", "dwell", "c", search="01", value=7)])
    assert counts(store)["c", 3] == (1, 0, 0, 0)
    store.add([did("e2", "click", "c", search="01"), did("e3", "click", "c", "unseen", search="01")])
    assert counts(store) == {
        ("a", 1): (1, 0, 1, 0),
        ("b", 2): (1, 0, 1, 0),
        ("c", 3): (1, 1, 0, 7),
        ("d", 4): (1, 0, 0, 0),
    }
    store.add([did("e4", "click", "a", search="01"), did("e5", "dwell", "c", search="01", value=0.5)])
    assert counts(store)["a", 1] == (1, 1, 0, 0)
    assert counts(store)["b", 2] == (1, 0, 1, 0)
    assert counts(store)["c", 3] == (1, 1, 0, 7.5)
    store.add([did("e6", "good", "a", search="01"), did("e7", "click", "a"), did("e8", "click", "a", search="unknown")])
    assert counts(store)["a", 1] == (1, 1, 0, 0)


def test_what_got_no_feedback_is_dropped_and_its_impressions_stay(store: FeedbackStore) -> None:
    store.log([searched("01", "a"), searched("02", "a"), searched("03", "a", minutes=60)])
    store.add([did("e1", "bad", search="02")])
    assert store.drop(NOON + timedelta(minutes=30)) == 1
    assert store.drop(NOON + timedelta(minutes=30)) == 0
    assert [search.id for search in store.searches(None, 10)] == ["03", "02"]
    assert counts(store) == {("a", 1): (3, 0, 0, 0)}


def test_a_user_is_forgotten_with_searches_events_and_counts(store: FeedbackStore) -> None:
    store.log([searched("01", "a", "b", user="u1"), searched("02", "a", "b", user="u2"), searched("03", user="u1")])
    store.drop(NOON - timedelta(days=1))
    store.add([did("e1", "click", "a", search="01", user="u2"), did("e2", "click", "b", search="02", user="u1")])
    store.add(
        [did("e3", "click", "a", search="02", user="u2"), did("e4", "good", "a", user="u1"), did("e5", "cite", "a")]
    )
    assert store.forget("u1") == 5
    assert [search.id for search in store.searches(None, 10)] == ["02"]
    # e1 is of another user, but has the text of a search of the one who is forgotten.
    assert [event.id for event in store.events()] == ["e3", "e5"]
    assert counts(store) == {("a", 1): (1, 1, 0, 0), ("b", 2): (1, 0, 0, 0)}
    assert store.forget("u1") == 0


def test_a_user_is_forgotten_with_the_impressions_of_searches_that_were_dropped(store: FeedbackStore) -> None:
    store.log([searched("01", "a", user="u1", query="mine")])
    assert store.drop(NOON + timedelta(days=1)) == 1
    assert len(impressions(store)) == 1
    store.forget("u1")
    assert impressions(store) == set()


def test_a_store_knows_users_from_the_first_to_the_last(store: FeedbackStore) -> None:
    assert not store.knows_users()
    store.log([searched("01", "a"), searched("02", "a", session="s1")])
    store.add([did("e1", "click", "a", search="01")])
    assert not store.knows_users()
    store.log([searched("03", "a", user="u1")])
    assert store.knows_users()
    assert store.drop(NOON + timedelta(days=1)) == 2
    assert store.knows_users()
    store.forget("u1")
    assert not store.knows_users()
    store.add([did("e2", "good", "a", user="u2")])
    assert store.knows_users()
    store.forget("u2")
    assert not store.knows_users()


def test_many_events_and_queries_are_read_to_the_last(store: FeedbackStore) -> None:
    store.log([searched(f"{number:05}", "a", query=f"q{number}") for number in range(1200)])
    events = [did(f"e{number}", "good", "a", query=f"q{number}") for number in range(1200)]
    assert store.add(events) == 0
    assert store.add(events) == 1200
    assert list(store.events()) == events
    assert len(impressions(store)) == 1200
    reading = store.events()
    next(reading)
    store.forget("nobody")
    assert len(list(reading)) == 1199
