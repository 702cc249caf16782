"""Searches and thumbs are counted by query, day, generation and collection, also after searches were dropped."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from time import process_time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.learning.base import FeedbackStore, LoggedSearch
from service.learning.insights import COUNTED_DAYS, Counts, Insights, Period, QueryCounts
from tests.contract.feedback.stores import NOON, STORES, did, searched

DAY = 24 * 60
FIRST = NOON.date()
MIDNIGHT = NOON.replace(hour=0)
ALL = Period(FIRST - timedelta(days=30), 10)


def listed(queries: Sequence[QueryCounts]) -> dict[str, Counts]:
    return {one.query: one.counts for one in queries}


def test_an_empty_log_has_nothing_to_count(store: FeedbackStore) -> None:
    assert store.insights(ALL) == Insights(None, 0, Counts(), [], [], [], [], [], [])


def test_queries_are_listed_by_what_they_have_most_of(store: FeedbackStore) -> None:
    store.log([searched(f"0{n}", "a", query="often", user=f"u{n}") for n in range(5)])
    store.log([searched(f"1{n}", query="nothing") for n in range(2)])
    store.log([searched("20", "a", query="half"), searched("21", query="half"), searched("30", query="once")])
    store.add([did("e1", "bad", search="00", query="often"), did("e2", "bad", search="01", query="often")])
    store.add([did("e3", "good", "a", search="02", query="often"), did("e4", "bad", search="20", query="half")])
    store.add([did("e5", "bad", "a", search="21", query="half"), did("e6", "click", "a", search="20", query="half")])
    insights = store.insights(ALL)
    assert insights.total == Counts(searches=10, empty=4, good=1, bad=4)
    often, half = Counts(5, 0, good=1, bad=2), Counts(2, 1, bad=2)
    assert next(iter(listed(insights.most_asked).items())) == ("often", often)
    assert list(listed(insights.most_asked)) == ["often", "nothing", "half", "once"]
    assert listed(insights.nothing_found) == {"nothing": Counts(2, 2), "half": half, "once": Counts(1, 1)}
    # Two bad answers of two are worse than two of five.
    assert list(listed(insights.worst).items()) == [("half", half), ("often", often)]
    assert insights.by_collection == [("default", insights.total)]
    one = store.insights(Period(ALL.first, 1))
    assert [listed(queries).keys() for queries in (one.most_asked, one.nothing_found, one.worst)] == [
        {"often"},
        {"nothing"},
        {"half"},
    ]
    assert one.total == insights.total


def test_a_query_that_was_asked_once_is_not_the_worst(store: FeedbackStore) -> None:
    store.log([searched("00", "a", query="once")])
    store.log([searched(f"1{n}", "a", query="often") for n in range(8)])
    store.add([did("e0", "bad", search="00", query="once")])
    store.add([did(f"e1{n}", "bad", search=f"1{n}", query="often") for n in range(4)])
    assert list(listed(store.insights(ALL).worst)) == ["often", "once"]


def test_an_answer_counts_once_however_often_users_say_what_they_think(store: FeedbackStore) -> None:
    store.log([searched("01", "a", "b")])
    store.add([did(f"e{n}", "bad", "ab"[n % 2], search="01", user="u1") for n in range(100)])
    store.add([did("g", "good", "a", search="01")])
    assert store.insights(ALL).total == Counts(searches=1, good=1, bad=1)


def test_the_last_thumb_on_a_thing_counts_and_one_that_was_withdrawn_does_not(store: FeedbackStore) -> None:
    store.log([searched("01", "a", "b")])
    store.add([did("e1", "good", search="01"), did("e2", "bad", search="01"), did("e3", "good", "a", search="01")])
    assert store.insights(ALL).total == Counts(searches=1, good=1, bad=1)
    store.add([did("e4", "withdraw", search="01"), did("e5", "bad", "b", search="01")])
    store.add([did("e6", "withdraw", "b", search="01")])
    assert store.insights(ALL).total == Counts(searches=1, good=1)


def test_thumbs_without_a_search_count_once_for_a_user_or_session(store: FeedbackStore) -> None:
    store.add([did(f"a{n}", "bad", user="u1", session=f"s{n}") for n in range(3)])
    store.add([did(f"b{n}", "bad", session="s1") for n in range(3)])
    store.add([did(f"c{n}", "bad") for n in range(3)])
    store.add([did("d", "bad", search="unknown"), did("e", "good", user="u2")])
    insights = store.insights(ALL)
    assert insights.total == Counts(good=1, bad=6)
    assert insights.by_generation == [(None, Counts(good=1, bad=6))]
    assert insights.since == NOON


def test_days_are_those_of_utc_and_a_thumb_belongs_to_its_own(store: FeedbackStore) -> None:
    store.log([searched("01", "a"), searched("02", "a", minutes=12 * 60 - 0.01), searched("03", minutes=12 * 60)])
    late = did("e1", "bad", "a", search="01")
    store.add([replace(late, at=NOON + timedelta(days=2))])
    insights = store.insights(ALL)
    assert insights.by_day == [
        (FIRST, Counts(searches=2)),
        (FIRST + timedelta(days=1), Counts(searches=1, empty=1)),
        (FIRST + timedelta(days=2), Counts(bad=1)),
    ]
    later = store.insights(Period(FIRST + timedelta(days=1), 10))
    assert later.by_day == insights.by_day[1:]
    assert later.total == Counts(1, 1, bad=1)
    assert later.since == MIDNIGHT + timedelta(days=1)
    assert insights.since == NOON


def test_generations_and_collections_are_apart(store: FeedbackStore) -> None:
    store.log([searched("01", "a"), searched("02", "a", generation=2), searched("03", generation=2, collection="b")])
    store.add([did("e1", "good", search="02"), did("e2", "bad", search="03", collection="b"), did("e3", "bad")])
    insights = store.insights(ALL)
    assert insights.by_generation == [(1, Counts(1)), (2, Counts(2, 1, 1, 1)), (None, Counts(bad=1))]
    assert insights.by_collection == [("b", Counts(1, 1, bad=1)), ("default", Counts(2, good=1, bad=1))]
    only = store.insights(Period(ALL.first, 10, "b"))
    assert only.total == Counts(1, 1, bad=1)
    assert [(one.collection, one.query) for one in only.most_asked] == [("b", "q")]
    assert only.by_generation == [(2, only.total)]
    assert only.by_collection == [("b", only.total)]
    assert store.insights(Period(ALL.first, 10, "c")).total == Counts()


def test_a_query_is_its_text_to_the_letter(store: FeedbackStore) -> None:
    texts = ["straße", "STRASSE", "Straße", "straße ", "日本", "e\u0301", "é", "🙂"]
    store.log([searched(f"{n}", "a", query=text) for n, text in enumerate(texts)])
    assert list(listed(store.insights(ALL).most_asked)) == texts


def test_equal_queries_are_in_the_order_in_which_they_were_asked_first(store: FeedbackStore) -> None:
    store.log([searched("1", query="z"), searched("2", query="a")])
    store.add([did("e1", "bad", query="m"), did("e2", "bad", query="z"), did("e3", "bad", query="a")])
    assert list(listed(store.insights(ALL).worst)) == ["m", "z", "a"]
    assert list(listed(store.insights(ALL).nothing_found)) == ["z", "a"]


def test_what_was_dropped_is_counted_on_its_day_and_without_its_moment(store: FeedbackStore) -> None:
    store.log([searched("01", "a", user="u1"), searched("02", minutes=1), searched("03", "a", minutes=DAY)])
    store.log([searched("04", "a", minutes=2), searched("05", "a", minutes=3 * DAY)])
    store.add([did("e1", "bad", search="04")])
    before = store.insights(ALL)
    assert store.drop(NOON + timedelta(days=2)) == 3
    after = store.insights(ALL)
    assert after.dropped == 3
    assert after.since == MIDNIGHT
    assert (after.total, after.by_day, after.by_generation) == (before.total, before.by_day, before.by_generation)
    assert (after.most_asked, after.nothing_found, after.worst) == (
        before.most_asked,
        before.nothing_found,
        before.worst,
    )
    assert store.insights(Period(FIRST + timedelta(days=1), 10)).dropped == 1
    assert store.insights(Period(ALL.first, 10, "other")).dropped == 0
    store.log([searched("06", "a", minutes=5)])
    store.drop(NOON + timedelta(days=2))
    assert store.insights(ALL).dropped == 4
    assert store.insights(ALL).total == Counts(6, 1, bad=1)


def test_a_user_who_is_forgotten_is_not_counted(store: FeedbackStore) -> None:
    store.log([searched("01", "a", user="u1", query="mine"), searched("02", "a", user="u2")])
    store.drop(NOON + timedelta(days=1))
    store.log([searched("03", user="u1", query="mine")])
    store.add([did("e1", "bad", search="03", query="mine", user="u1")])
    store.forget("u1")
    insights = store.insights(ALL)
    assert insights.total == Counts(1)
    assert list(listed(insights.most_asked)) == ["q"]
    assert insights.dropped == 1


def test_days_are_counted_for_a_year(store: FeedbackStore) -> None:
    store.log([searched("01", "a"), searched("02", "a", minutes=DAY)])
    store.drop(NOON + timedelta(days=2))
    assert store.insights(ALL).total == Counts(2)
    store.drop(NOON + timedelta(days=COUNTED_DAYS + 1))
    assert store.insights(ALL).total == Counts(1)
    assert len(list(store.impressions())) == 1


SEARCHES = st.lists(
    st.tuples(
        st.sampled_from("qrs"), st.sampled_from(["b", "default"]), st.integers(1, 2), st.integers(0, 3), st.booleans()
    ),
    max_size=12,
)
THUMBS = st.lists(
    st.tuples(
        st.sampled_from(["good", "bad", "withdraw", "cite"]),
        st.integers(0, 11),
        st.integers(0, 3),
        st.sampled_from("uv"),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SEARCHES, THUMBS, st.integers(0, 4), st.integers(0, 4))
def test_all_stores_count_alike(
    tmp_path_factory: pytest.TempPathFactory,
    asked: list[tuple[str, str, int, int, bool]],
    thumbs: list[tuple[str, int, int, str]],
    dropped: int,
    first: int,
) -> None:
    searches: list[LoggedSearch] = [
        searched(f"{n:02}", *("a" * full), minutes=day * DAY + n, query=query, collection=name, generation=generation)
        for n, (query, name, generation, day, full) in enumerate(asked)
    ]
    events = []
    for n, (action, about, day, user) in enumerate(thumbs):
        search = searches[about] if about < len(searches) else None
        fields = {} if search is None else {"query": search.query, "collection": search.collection}
        event = did(f"e{n}", action, search=search.id if search else None, user=user, **fields)
        events.append(replace(event, at=NOON + timedelta(days=day)))
    outcomes = []
    for name, opened in STORES.items():
        store = opened(tmp_path_factory.mktemp(name))
        store.log(searches)
        store.add(events)
        store.drop(NOON + timedelta(days=dropped))
        outcomes.append([store.insights(Period(FIRST + timedelta(days=first), 3, of)) for of in (None, "default")])
        store.close()
    assert all(outcome == outcomes[0] for outcome in outcomes)


def test_a_hundred_thousand_searches_are_counted_in_a_second(tmp_path: Path) -> None:
    store = STORES["sqlite"](tmp_path)
    for start in range(0, 100_000, 10_000):
        numbers = range(start, start + 10_000)
        store.log([searched(f"{n:06}", "a", query=f"q{n % 40_000}", minutes=n / 10) for n in numbers])
        store.add([did(f"e{n}", "bad", "a", search=f"{n:06}", query=f"q{n % 40_000}") for n in numbers if n % 4 == 0])
    began = process_time()
    assert store.insights(Period(date(2026, 1, 1), 20)).total == Counts(100_000, bad=25_000)
    assert process_time() - began < 1
    store.close()
