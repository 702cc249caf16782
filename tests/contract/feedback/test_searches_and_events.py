"""Searches are kept and dropped, events count once, and a user can be forgotten."""

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from service.learning.base import FeedbackStore, Frequency, Impressions
from service.learning.insights import Counts, Period
from tests.contract.feedback.stores import NOON, STORES, counts, did, impressions, searched


def test_searches_are_read_as_they_were_written_and_listed_latest_first(store: FeedbackStore) -> None:
    full = searched("03", "a", "b", filter='{"n": 1}', reranker="r@1", key="app", user="u1", session="s1")
    store.log([searched("01", "a"), searched("02")])
    store.log([full, searched("01", "z")])
    assert store.named(["03", "04"]) == {"03": full}
    assert store.named([]) == {}
    store.check()
    assert [search.id for search in store.searches(None, 2)] == ["03", "02"]
    assert store.searches("02", 10) == [searched("01", "a")]
    assert store.searches("01", 10) == []


def test_searches_are_listed_by_a_document_that_they_have_shown(store: FeedbackStore) -> None:
    odd = ["a", 'a",1],["b', "guide/7", "ä", "%"]
    store.log([searched("01", *odd), searched("02", "b", collection="notes"), searched("03", "aa", "b")])
    for document in odd:
        assert [search.id for search in store.searches(None, 9, ("default", document))] == ["01"]
    assert [search.id for search in store.searches(None, 9, ("default", "b"))] == ["03"]
    assert [search.id for search in store.searches(None, 9, ("notes", "b"))] == ["02"]
    assert not store.searches("03", 9, ("default", "b"))
    assert not store.searches(None, 9, ("default", "1"))
    store.log([searched("04", "b"), searched("05", "b", "b2", query="another")])
    assert store.count_showing("default", "b") == 3
    assert store.count_showing("notes", "b") == store.count_showing("default", "%") == 1
    assert store.count_showing("default", "1") == store.count_showing("notes", "a") == 0


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 200])
def test_a_batch_of_any_size_is_kept_whole_and_each_search_once(store: FeedbackStore, count: int) -> None:
    batch = [searched(f"{number:03}", "a", query=f"q{number % 7}", k=number + 1) for number in range(count)]
    store.log(batch)
    store.log([*batch[: count // 2], searched("999", "b")])
    assert store.searches("999", 1000) == batch[::-1]
    assert sum(shown.shown for shown in store.impressions()) == count + 1


def test_an_event_counts_once_however_often_it_is_sent(store: FeedbackStore) -> None:
    store.log([searched("01", "a", "b")])
    click = did("e1", "click", "b", search="01", note="n", key="app", user="u", session="s")
    good = did("e2", "good", "a", value=0.5)
    assert store.add([click, good, click]) == 1
    assert store.add([click, replace(good, action="bad")]) == 2
    assert store.add([]) == 0
    assert list(store.events()) == [click, good]
    assert counts(store) == {("a", 1): (1, 0, 1, 0), ("b", 2): (1, 1, 0, 0)}


def test_a_search_of_another_system_is_read_by_both_of_its_ids_and_counts_once(store: FeedbackStore) -> None:
    foreign = searched("01", "a", query_id="any / text")
    assert store.log([foreign, searched("02", "b")]) == 0
    assert store.named(["any / text", "01", "03"]) == {"any / text": foreign, "01": foreign}
    assert store.named(["02"]) == {"02": searched("02", "b")}
    assert store.log([searched("03", "b", query_id="any / text"), searched("04"), searched("02", "a")]) == 2
    assert store.log([searched("05", query_id="other"), searched("06", query_id="other")]) == 1
    assert store.log([]) == 0
    assert [search.id for search in store.searches(None, 9)] == ["05", "04", "02", "01"]
    assert counts(store) == {("a", 1): (1, 0, 0, 0), ("b", 1): (1, 0, 0, 0)}
    store.add([did("e1", "good", "a", search="04", user="u")])
    store.log([searched("07", query_id="of u", user="u")])
    assert store.forget("u") == 2
    assert store.named(["of u"]) == {}


def test_an_id_goes_before_the_equal_query_id_of_another_search(store: FeedbackStore) -> None:
    store.log([searched("01", "a", query_id="02"), searched("02", "b")])
    assert store.named(["02"]) == {"02": searched("02", "b")}


def test_impressions_say_what_a_search_without_results_has_shown(store: FeedbackStore) -> None:
    store.log([searched("01"), searched("02"), searched("03", "a"), searched("04")])
    from_0 = [did("e1", "impression", "a", search="01", value=0), did("e2", "impression", "b", search="01", value=2)]
    from_1 = [did("e3", "impression", "a", search="02", value=1), did("e4", "impression", "b", search="02", value=2)]
    others = [did("e5", "impression", "b", search="03", value=2), did("e6", "impression", "c", search="04", value=-1)]
    others += [did("e7", "impression", "c", search="04", value=10**9), did("e8", "impression", "c", search="04")]
    store.add([*from_0, *from_1, *others, did("e9", "impression", "b", search="01", value=7)])
    store.add([did("e10", "click", "b", search="01")])
    assert counts(store) == {("a", 1): (3, 0, 1, 0), ("b", 3): (1, 1, 0, 0), ("b", 2): (1, 0, 0, 0)}


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
    store.add([did("e9", "dwell", "c", search="01", value=3600)])
    assert counts(store)["c", 3] == (1, 1, 0, 30)
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


def test_names_with_characters_that_no_text_has_are_of_nothing(store: FeedbackStore) -> None:
    store.log([searched("01", "a")])
    assert store.named(["01\0", "01"]) == {"01": searched("01", "a")}
    assert store.searches(None, 9, ("default", "a\0")) == []
    assert store.searches(None, 9, ("default\0", "a")) == []
    assert store.most_asked("default\0", 9, 9) == (0, [])
    assert store.thumbs("default\0", 9) == []
    counted = store.insights(Period(NOON.date(), 9, "default\0"))
    assert counted.total == Counts()
    assert counted.since == NOON


def test_thumbs_are_listed_latest_first_and_other_events_are_not(store: FeedbackStore) -> None:
    actions = ["good", "bad", "withdraw", "bad", "good"]
    collections = ["default", "default", "default", "other", "default"]
    events = [
        did(f"e{n}", action, collection=collection)
        for n, (action, collection) in enumerate(zip(actions, collections, strict=True))
    ]
    store.add([*events, did("click", "click", "a"), did("cite", "cite", "a")])
    assert store.thumbs(None, 10) == events[::-1]
    assert store.thumbs(None, 2) == [events[4], events[3]]
    # The limit is on what is looked at.
    assert store.thumbs("default", 2) == [events[4]]
    assert store.thumbs("absent", 10) == []


def test_searches_are_counted_by_query_whether_they_are_kept_or_dropped(store: FeedbackStore) -> None:
    queries = ["rare", "often", "often", "often", "twice", "twice", "later", "later"]
    store.log([searched(f"{n:02}", "a", minutes=n, query=query) for n, query in enumerate(queries)])
    store.log([searched("99", "a", minutes=99, query="often", collection="other")])
    before = store.most_asked(None, 100, 3)
    assert before == (
        9,
        [Frequency("default", "often", 3), Frequency("default", "later", 2), Frequency("default", "twice", 2)],
    )
    store.drop(NOON + timedelta(minutes=3))
    assert store.most_asked(None, 100, 3) == before
    assert store.most_asked("other", 100, 3) == (1, [Frequency("other", "often", 1)])
    assert store.most_asked("absent", 100, 3) == (0, [])


def test_the_latest_searches_are_counted_if_there_are_too_many(store: FeedbackStore) -> None:
    store.log([searched(f"{n:02}", "a", minutes=n, query="old" if n < 5 else "new") for n in range(8)])
    assert store.most_asked(None, 4, 10) == (4, [Frequency("default", "new", 3), Frequency("default", "old", 1)])


def test_a_forgotten_user_is_neither_counted_nor_listed(store: FeedbackStore) -> None:
    store.log([searched("01", "a", user="u1"), searched("02", "a", user="u1", minutes=9)])
    store.drop(NOON + timedelta(minutes=1))
    store.add([did("e1", "bad", search="02", user="u1")])
    store.forget("u1")
    assert store.thumbs(None, 10) == []
    assert store.most_asked(None, 10, 10) == (0, [])


@pytest.mark.parametrize("name", ["memory", "sqlite"])
def test_a_backup_is_a_file(name: str, tmp_path: Path) -> None:
    with closing(STORES[name](tmp_path)) as store:
        store.log([searched("01", "a")])
        target = tmp_path / "copy"
        store.backup(target)
        assert target.stat().st_size > 0
        assert store.size() > 0
