"""What users do becomes judgements: by what they say, and by clicks that are corrected for the rank."""

import time
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.learning.base import Derived, Event, Impressions
from service.learning.derive import Rules, derive
from service.learning.propensity import assumed

START = datetime(2026, 1, 1, tzinfo=UTC)
EVERY = Rules(weight=1e-9)


def event(action: str, *documents: str, number: int = 0, **others: str | None) -> Event:
    identity = f"{action}-{documents}-{number}-{sorted(others.items(), key=str)}"
    at = START + timedelta(seconds=number)
    return Event(identity, at, action, "docs", "q", documents, **others)  # type: ignore[arg-type]


def weights(judgements: Sequence[Derived]) -> dict[str, float]:
    return {one.document: one.weight if one.good else -one.weight for one in judgements}


def said(*events: Event) -> dict[str, float]:
    return weights(derive(events, []))


def clicked(rows: Sequence[Impressions], events: Sequence[Event] = (), rules: Rules = EVERY) -> dict[str, float]:
    return weights(derive(events, rows, rules, assumed(10)))


# Documents at ten ranks, shown so often that all clicks are whole numbers.
def page(appeal: float, generation: int = 1, query: str = "q") -> list[Impressions]:
    return [
        Impressions("docs", query, f"{rank}", generation, rank, 25_200, round(25_200 * appeal / rank))
        for rank in range(1, 11)
    ]


def test_a_thumb_is_a_judgement_and_more_of_them_weigh_more() -> None:
    assert said(event("good", "a", user="u")) == {"a": 0.5}
    assert said(event("bad", "a", user="u")) == {"a": -0.5}
    assert said(event("good", "a", user="u"), event("good", "a", user="v")) == {"a": pytest.approx(2 / 3)}


def test_contradiction_lowers_the_weight_and_evens_out_to_nothing() -> None:
    ups = [event("good", "a", user=f"u{number}") for number in range(3)]
    assert said(*ups, event("bad", "a", user="v")) == {"a": pytest.approx(0.4)}
    assert said(ups[0], event("bad", "a", user="v")) == {}


def test_one_user_cannot_outvote_two() -> None:
    stubborn = [event("good", "a", user="one", number=number) for number in range(1000)]
    others = [event("bad", "a", user=user) for user in ("two", "three")]
    assert said(*stubborn, *others) == {"a": pytest.approx(-0.25)}
    anonymous = [replace(each, user=None, key="app") for each in stubborn]
    assert said(*anonymous) == {"a": 0.5}
    assert said(*(replace(each, user=None, session="s") for each in stubborn)) == {"a": 0.5}
    assert said(*(replace(each, search="s") for each in anonymous)) == {"a": 0.5}


def test_who_thinks_again_counts_with_the_later_thumb() -> None:
    assert said(event("good", "a", user="u", number=1), event("bad", "a", user="u", number=2)) == {"a": -0.5}
    # A citation is no word of the user's, so it does not soften what the user says.
    assert said(event("cite", "a", user="u"), event("bad", "a", user="u")) == {"a": -0.5}


def test_a_thumb_that_was_withdrawn_is_none() -> None:
    up, back = event("good", "a", user="u", number=1), event("withdraw", "a", user="u", number=2)
    assert said(up, back) == said(back, up) == {}
    assert said(up, back, event("bad", "a", user="u", number=3)) == {"a": -0.5}
    assert said(up, event("withdraw", "a", user="v", number=2)) == said(up)
    cites = event("cite", "a", search="s", user="u")
    assert said(cites, up, back) == said(cites)
    answer = [event("good", search="s", user="u", number=1), event("withdraw", search="s", user="u", number=2)]
    assert said(cites, *answer) == said(cites) != said(cites, answer[0])


def test_a_thumb_up_on_an_answer_counts_a_little_for_what_it_cites_and_a_thumb_down_for_nothing() -> None:
    cites = [event("cite", "a", "b", search="s1", user="u")]
    alone = said(*cites)
    assert alone.keys() == {"a", "b"}
    liked = said(*cites, event("good", search="s1", user="u"))
    assert 0 < alone["a"] < liked["a"] < 0.5
    assert said(*cites, event("bad", search="s1", user="u")) == alone
    assert said(*cites, event("good", search="s2", user="u")) == alone
    assert said(*cites, event("good", search="s1", number=1), event("bad", search="s1", number=2)) == alone
    assert said(event("good", user="u"), event("bad", user="v")) == {}


def test_an_answer_without_a_search_is_known_by_its_question_and_its_user() -> None:
    cites = event("cite", "a", user="u")
    assert said(cites, event("good", user="u"))["a"] > said(cites)["a"]
    assert said(cites, event("good", user="v")) == said(cites)


def test_a_thousand_citations_say_no_more_than_one_person() -> None:
    assert said(*(event("cite", "a", search=f"s{number}") for number in range(1000))) == {"a": 0.5}


def test_actions_that_mean_nothing_here_judge_nothing() -> None:
    assert said(event("share", "a", user="u"), event("dwell", "a", user="u"), event("click", "a", user="u")) == {}


@given(st.sampled_from([0.1, 0.25, 0.5, 0.75, 1.0]))
def test_clicks_as_many_as_the_rank_explains_judge_nothing(appeal: float) -> None:
    assert not {document: weight for document, weight in clicked(page(appeal)).items() if abs(weight) > 0.01}
    # By raw clicks, the first would be ten times as good as the tenth.
    assert page(appeal)[0].clicked == 10 * page(appeal)[9].clicked


def test_a_document_is_good_if_it_is_clicked_more_often_than_its_rank_explains() -> None:
    rows = page(0.1)
    rows[6] = replace(rows[6], clicked=rows[6].clicked * 5)
    judged = clicked(rows)
    assert judged["7"] > 0.25
    assert all(weight < 0 for document, weight in judged.items() if document != "7")


def test_few_impressions_judge_nothing() -> None:
    rows = [Impressions("docs", "q", "a", 1, 1, 9, 9), Impressions("docs", "q", "b", 1, 2, 10, 0)]
    assert clicked(rows).keys() == {"b"}
    assert clicked([replace(rows[0], shown=10), rows[1]]).keys() == {"a", "b"}


def test_impressions_of_several_ranks_and_generations_count_together() -> None:
    rows = [Impressions("docs", "q", "a", generation, 1, 5, 5) for generation in (1, 2)]
    assert clicked([*rows, Impressions("docs", "q", "b", 1, 2, 10, 0)])["a"] > 0


def test_a_skip_is_weak_evidence_of_bad() -> None:
    rows = [Impressions("docs", "q", "up", 1, 2, 20, 12), *(Impressions("docs", "q", f"{n}", 1, 3, 20) for n in "ab")]
    plain = clicked(rows)
    rows[1] = replace(rows[1], skipped=12)
    skipped = clicked(rows)
    assert skipped["a"] < plain["a"] < 0
    assert skipped["a"] < skipped["b"]
    assert abs(skipped["a"]) < 0.5


def test_a_query_without_a_click_judges_nothing() -> None:
    silent = [replace(row, clicked=0) for row in page(0.5, query="silent")]
    rows = [*page(0.5), *silent]
    assert {one.query for one in derive([], rows, EVERY)} <= {"q"}
    assert not clicked(silent)


def test_short_visits_count_less() -> None:
    rows = page(0.1)
    rows[3] = replace(rows[3], clicked=rows[3].clicked * 4)
    unknown = clicked(rows)["4"]
    long, short = (
        clicked([*rows[:3], replace(rows[3], dwelt=rows[3].clicked * seconds), *rows[4:]])["4"] for seconds in (60, 2)
    )
    assert short < long == unknown


def test_a_user_who_clicks_a_hundred_times_counts_three_times() -> None:
    rows = [Impressions("docs", "q", "pet", 1, 5, 150, 110), Impressions("docs", "q", "top", 1, 1, 150, 60, 30)]
    many = [event("click", "pet", search=f"s{n}", user=f"user{n}") for n in range(110)]
    zealot = [replace(one, user="zealot") for one in many[:100]] + many[100:]
    assert clicked(rows, many) == clicked(rows)
    assert clicked(rows, zealot)["pet"] < clicked(rows, many)["pet"]
    # Ten others and three times the zealot, in the searches that are left when the others of the zealot's are dropped.
    reduced = [Impressions("docs", "q", "pet", 1, 5, 53, 13), replace(rows[1], shown=124, skipped=3)]
    capped = clicked(rows, [*zealot, *(event("click", "top", search=f"t{n}", user=f"user{n}") for n in range(60))])
    assert capped["pet"] == pytest.approx(clicked(reduced)["pet"], abs=0.05)


def test_a_user_who_clicks_in_a_thousand_searches_counts_about_as_much_as_in_three() -> None:
    others = [event("click", "top", search=f"t{n}", user=f"user{n}") for n in range(20)]

    def of_pet(searches: int, users: int = 1, clicks: int = 1) -> float:
        """The weight of a document that such users click in all searches of theirs, and nobody in 20 others."""
        made = [
            event("click", "pet", search=f"s{n}", user=f"zealot{n % users}", number=number)
            for n in range(searches)
            for number in range(clicks)
        ]
        shown = searches + 20
        rows = [
            Impressions("docs", "q", "pet", 1, 2, shown, searches),
            Impressions("docs", "q", "top", 1, 1, shown, 20, searches),
        ]
        return clicked(rows, [*made, *others]).get("pet", 0)

    for searches in (4, 30, 1000):
        assert of_pet(searches) == pytest.approx(of_pet(3), abs=0.1)
        assert of_pet(searches) < 0 < of_pet(1000, users=1000)
    # Clicking a result twice is one click.
    assert of_pet(1000, clicks=2) == of_pet(1000)


def test_what_was_said_leads_and_what_was_clicked_lowers_its_weight() -> None:
    rows = page(0.1)
    rows[6] = replace(rows[6], clicked=rows[6].clicked * 5)
    agreeing = derive([event("good", "7", user="u")], rows, propensities=assumed(10))
    assert [one.source for one in agreeing if one.document == "7"] == ["feedback", "click"]
    contrary = [one for one in derive([event("bad", "7", user="u")], rows, EVERY, assumed(10)) if one.document == "7"]
    assert [one.source for one in contrary] == ["feedback"]
    assert not contrary[0].good
    assert contrary[0].weight < 0.5


def test_collections_and_queries_are_apart_and_sorted() -> None:
    events = [replace(event("good", "a", user="u"), collection=name, query=query) for name in "ba" for query in "zy"]
    assert [(one.collection, one.query) for one in derive(events, [])] == [
        ("a", "y"),
        ("a", "z"),
        ("b", "y"),
        ("b", "z"),
    ]


def test_nothing_gives_nothing() -> None:
    assert derive([], []) == []
    assert derive([], [Impressions("docs", "q", "a", 1, 1, 0)]) == []


USERS = st.sampled_from([None, "u", "v", "w"])
EVENTS = st.lists(
    st.builds(
        Event,
        st.integers(0, 30).map(str),
        st.integers(0, 5).map(lambda day: START + timedelta(days=day)),
        st.sampled_from(["good", "bad", "click", "cite", "copy", "dwell", "other"]),
        st.sampled_from(["docs", "other"]),
        st.sampled_from(["q", "p"]),
        st.lists(st.sampled_from("abc"), max_size=2).map(tuple),
        st.sampled_from([None, "s1", "s2"]),
        user=USERS,
    ),
    max_size=30,
    unique_by=lambda one: one.id,
)


@st.composite
def tables(draw: st.DrawFn) -> list[Impressions]:
    rows = []
    for query in "qp"[: draw(st.integers(1, 2))]:
        for rank, document in enumerate("abcdef"[: draw(st.integers(2, 6))], 1):
            for generation in range(draw(st.integers(1, 2))):
                shown = draw(st.integers(0, 200))
                clicks = draw(st.integers(0, shown))
                skips = draw(st.integers(0, shown - clicks))
                stand = (rank + generation) % 6 + 1
                rows.append(Impressions("docs", query, document, generation, stand, shown, clicks, skips, clicks * 9.0))
    return rows


@settings(max_examples=200, deadline=None)
@given(EVENTS, tables(), st.randoms())
def test_neither_order_nor_repetition_changes_anything(
    events: list[Event], rows: list[Impressions], chance: object
) -> None:
    mixed, shuffled = [*events, *events[::2]], list(rows)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert derive(mixed, shuffled, EVERY) == derive(events, rows, EVERY)


@settings(max_examples=200, deadline=None)
@given(EVENTS, tables())
def test_weights_are_above_0_and_at_most_1(events: list[Event], rows: list[Impressions]) -> None:
    judgements = derive(events, rows)
    assert all(0.15 <= one.weight < 1 and np.isfinite(one.weight) for one in judgements)
    assert len({(one.collection, one.query, one.document, one.source) for one in judgements}) == len(judgements)


def others() -> list[Impressions]:
    """Forty more queries, in each of which another rank has a useful document: what a pair is compared with."""
    rows = [row for number in range(40) for row in page(0.1, query=f"other{number}")]
    return [replace(row, clicked=row.clicked * 5) if number % 11 == 0 else row for number, row in enumerate(rows)]


OTHERS = others()


@settings(max_examples=300, deadline=None)
@given(tables(), st.integers(0, 100), st.integers(1, 50))
def test_more_clicks_at_a_rank_never_make_a_document_worse(rows: list[Impressions], index: int, more: int) -> None:
    index %= len(rows)
    row = rows[index]
    more = min(more, row.shown - row.clicked - row.skipped)
    rules = Rules(impressions=1, weight=1e-12)
    pair = (row.query, row.document)

    def weight_of_good(table: list[Impressions]) -> float:
        judged = derive([], [*OTHERS, *table], rules, assumed(10))
        return {(one.query, one.document): one.weight for one in judged if one.good}.get(pair, 0.0)

    better = [*rows[:index], replace(row, clicked=row.clicked + more), *rows[index + 1 :]]
    assert weight_of_good(better) >= weight_of_good(rows) - 1e-9


def test_a_tenth_of_a_million_events_takes_seconds() -> None:
    events = [
        Event(
            str(n),
            START,
            ("click", "good", "cite")[n % 3],
            "docs",
            f"q{n % 999}",
            (f"d{n % 77}",),
            f"s{n}",
            user=f"{n % 5000}",
        )
        for n in range(100_000)
    ]
    rows = [Impressions("docs", f"q{n % 999}", f"d{n % 97}", n % 3, n % 10 + 1, 50, n % 7) for n in range(100_000)]
    began = time.process_time()
    derive(events, rows)
    assert time.process_time() - began < 6


def test_a_derivation_keeps_numbers_and_not_texts() -> None:
    def events() -> Iterator[Event]:
        for n in range(20_000):
            action, query = ("click", "good", "cite")[n % 3], f"question {n % 999:030}"
            yield Event(f"{n:036}", START, action, "docs", query, (f"d{n % 77}",), f"{n:036}", user="u")

    def rows() -> Iterator[Impressions]:
        for n in range(20_000):
            yield Impressions("docs", f"question {n % 999:030}", f"d{n % 97}", n % 3, n % 10 + 1, 50, n % 7)

    tracemalloc.start()
    derive(events(), rows())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # As objects, events and rows took 1,000 bytes each.
    assert peak < 40_000 * 500
