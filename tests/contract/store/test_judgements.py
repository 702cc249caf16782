"""Judgements: statements of people on which documents answer which queries."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from service.corpus.base import CorpusStore
from service.corpus.judgements import DERIVED, JudgedCounts, Judgement, JudgementFilter, Outcome, Side
from service.corpus.sides import query_node
from service.errors import InvalidRequest, TooLarge
from tests.contract.store.stores import MOST, accept, put


def judged(query: str, document: str, good: bool = True, **more: Any) -> Judgement:
    return Judgement(query=query, document=document, good=good, **more)


def keys(judgements: Sequence[Judgement]) -> list[tuple[str, str, str]]:
    return [judgement.pair for judgement in judgements]


def as_sent(judgement: Judgement) -> Judgement:
    """The judgement without what the store adds to it."""
    assert judgement.at is not None
    return judgement.model_copy(update={"at": None, "side": None})


def sides(store: CorpusStore) -> dict[str, str | None]:
    return {judgement.query: judgement.side for judgement in store.judgements.all()}


def of_side(side: str) -> list[str]:
    """Questions that a hash puts on that side."""
    return [
        f"question {n}"
        for n in range(40)
        if (int.from_bytes(query_node(f"question {n}")[:8]) % 100 < 70) == (side == "train")
    ]


def test_judgements_are_added_and_changed(store: CorpusStore) -> None:
    put(store, a="text")
    outcome = store.judgements.add([judged("q", "b"), judged("q", "a", provenance="by hand"), judged("p", "a")])
    assert outcome == Outcome(judgements=3, queries=2, judging=2, added=3, changed=0, removed=0, unresolved=1)
    assert keys(store.judgements.all()) == [("default", "p", "a"), ("default", "q", "a"), ("default", "q", "b")]
    assert as_sent(store.judgements.all()[1]) == judged("q", "a", provenance="by hand")
    outcome = store.judgements.add([judged("q", "a", False), judged("p", "a"), judged("p", "a")])
    assert outcome == Outcome(judgements=3, queries=2, judging=2, added=0, changed=1, removed=0, unresolved=0)
    assert as_sent(store.judgements.all()[1]) == judged("q", "a", False)


def test_judgements_are_replaced_all_or_those_of_a_collection(store: CorpusStore) -> None:
    put(store, "other", a="text")
    store.judgements.add([judged("q", "a"), judged("q", "a", collection="other"), judged("p", "a", collection="other")])
    outcome = store.judgements.replace([judged("q", "a", False, collection="other")], "other")
    assert outcome == Outcome(judgements=2, queries=2, judging=2, added=0, changed=1, removed=1, unresolved=0)
    outcome = store.judgements.replace([judged("new", "a")])
    assert outcome == Outcome(judgements=1, queries=1, judging=1, added=1, changed=0, removed=2, unresolved=1)
    assert store.judgements.replace([]).removed == 1
    assert store.judgements.all() == []


def test_judgements_of_no_document_of_their_collection_are_refused(store: CorpusStore) -> None:
    put(store, a="text")
    store.judgements.add([judged("q", "a")])
    for change in (store.judgements.add, store.judgements.replace):
        with pytest.raises(InvalidRequest, match="has none of the documents that are judged \\(as 'b'\\)"):
            change([judged("q", "b"), judged("q", "c")], "default")
    assert keys(store.judgements.all()) == [("default", "q", "a")]
    assert store.judgements.add([judged("q", "b"), judged("p", "a")], "default").unresolved == 1


def test_too_many_judgements_are_refused_and_change_nothing(store: CorpusStore) -> None:
    store.judgements.add([judged("q", f"d{number}") for number in range(MOST)])
    with pytest.raises(TooLarge, match="INSTAR_LIMITS__JUDGEMENTS"):
        store.judgements.add([judged("q", "another")])
    with pytest.raises(TooLarge):
        store.judgements.replace([judged("p", f"d{number}") for number in range(MOST + 1)])
    assert len(store.judgements.all()) == MOST
    assert store.judgements.add([judged("q", "d0", False)]).changed == 1


def test_judgements_are_paged_and_removed_by_conditions(store: CorpusStore) -> None:
    put(store, a="text")
    written = [judged("q", "a"), judged("q", "b"), judged("p", "a"), judged("p", "a", collection="other")]
    store.judgements.add(written)
    assert store.judgements.counts() == (4, 2)
    ordered = store.judgements.all()
    first = store.judgements.page(JudgementFilter(), None, 3)
    assert first == ordered[:3]
    assert store.judgements.page(JudgementFilter(), first[-1].key, 3) == ordered[3:]
    assert keys(store.judgements.page(JudgementFilter(query="q"), None, 9)) == [
        ("default", "q", "a"),
        ("default", "q", "b"),
    ]
    assert keys(store.judgements.page(JudgementFilter(collection="other"), None, 9)) == [("other", "p", "a")]
    unresolved = [("default", "q", "b"), ("other", "p", "a")]
    assert keys(store.judgements.page(JudgementFilter(unresolved=True), None, 9)) == unresolved
    assert store.judgements.remove(JudgementFilter(document="a", query="p")) == 2
    assert store.judgements.remove(JudgementFilter(unresolved=True)) == 1
    store.documents.delete("default", ["a"], accept)
    assert store.judgements.counts() == (1, 1)


def test_judgements_are_listed_from_a_time_on_and_of_a_person(store: CorpusStore) -> None:
    noon = datetime(2026, 11, 28, 12, tzinfo=UTC)
    times = [noon - timedelta(seconds=1), noon, noon + timedelta(microseconds=1)]
    store.judgements.add([judged("q", f"d{n}", source="person", by="ann", at=at) for n, at in enumerate(times)])
    store.judgements.add([judged("q", "d1", source="person", by="bob", at=noon)])
    since = JudgementFilter(by="ann", since=noon)
    assert [judgement.document for judgement in store.judgements.all(since)] == ["d1", "d2"]
    elsewhere = JudgementFilter(by="ann", since=noon.astimezone(timezone(timedelta(hours=-5))))
    assert store.judgements.all(elsewhere) == store.judgements.all(since)
    # One person's word is taken back, and the other's stays.
    assert store.judgements.remove(JudgementFilter(query="q", document="d1", by="bob")) == 1
    assert [judgement.by for judgement in store.judgements.all()] == ["ann"] * 3


def test_all_that_was_said_of_a_pair_is_kept_and_each_voice_has_one_word(store: CorpusStore) -> None:
    put(store, a="text")
    said = [
        judged("q", "a"),
        judged("q", "a", source="person", by="ann"),
        judged("q", "a", False, source="person", by="bob"),
        judged("q", "a", source="click", weight=0.25),
    ]
    assert store.judgements.add(said).added == 4
    assert store.judgements.add([judged("q", "a", source="person", by="bob"), judged("q", "a", by="ann")]).changed == 1
    assert [(one.source, one.by, one.good, one.weight) for one in store.judgements.all()] == [
        ("click", None, True, 0.25),
        ("person", "ann", True, 1.0),
        ("person", "bob", True, 1.0),
        ("sent", None, True, 1.0),
    ]
    of_people = JudgementFilter(sources=frozenset({"person"}))
    assert [one.by for one in store.judgements.all(of_people)] == ["ann", "bob"]
    assert store.judgements.counts(of_people) == (2, 0)
    pages: list[Judgement] = []
    last = None
    while page := store.judgements.page(JudgementFilter(), last, 1):
        pages, last = pages + page, page[-1].key
    assert pages == store.judgements.all()
    assert store.judgements.remove(of_people) == 2


def test_what_was_sent_is_replaced_alone_and_so_is_what_was_derived(store: CorpusStore) -> None:
    put(store, a="text", b="another")
    store.judgements.add([judged("q", "a"), judged("q", "a", source="person"), judged("q", "b", source="click")])
    assert store.judgements.replace([judged("p", "b")]).removed == 1
    outcome = store.judgements.replace([judged("q", "a", source="feedback", weight=0.5)], sources=DERIVED)
    assert (outcome.added, outcome.removed) == (1, 1)
    assert {(one.query, one.document, one.source) for one in store.judgements.all()} == {
        ("p", "b", "sent"),
        ("q", "a", "person"),
        ("q", "a", "feedback"),
    }
    # There may be as many derived ones as others.
    many = [judged("q", f"d{number}", source="click") for number in range(MOST)]
    assert store.judgements.replace(many, sources=DERIVED).added == MOST
    with pytest.raises(TooLarge):
        store.judgements.replace([*many, judged("q", "more", source="click")], sources=DERIVED)


def test_judged_queries_are_counted_after_every_change(store: CorpusStore) -> None:
    assert store.judgements.judged() == JudgedCounts(0, 0)
    judging, training = of_side("judge")[0], of_side("train")[0]
    store.judgements.add([judged(judging, "a", source="click"), judged(judging, "b", source="click")])
    assert store.judgements.judged() == JudgedCounts(1, 1)
    store.judgements.add(
        [judged(training, "c", source="click"), judged(training, "c", collection="other", source="click")]
    )
    assert store.judgements.judged() == JudgedCounts(3, 1)
    store.judgements.remove(JudgementFilter("other"))
    assert store.judgements.judged() == JudgedCounts(2, 1)
    store.judgements.discard([judged(training, "c", source="click").key])
    assert store.judgements.judged() == JudgedCounts(1, 1)
    store.judgements.replace([], sources={"click"})
    assert store.judgements.judged() == JudgedCounts(0, 0)


def test_pairs_that_as_many_people_call_good_as_bad_are_disputed(store: CorpusStore) -> None:
    put(store, a="text", b="text")
    put(store, "other", a="text")

    def say(document: str, by: str, good: bool, minute: int = 0, **more: Any) -> None:
        at = datetime(2026, 11, 28, 12, minute, tzinfo=UTC)
        store.judgements.add([judged("q", document, good, by=by, at=at, **{"source": "person"} | more)])

    say("a", "ann", True)
    say("a", "bob", False, minute=1)
    assert store.judgements.disputed(None, 9) == [("default", "q", "a")]
    # Nobody but people counts, nor does a document that is not there.
    say("b", "ann", True)
    say("b", "file", False, source="sent")
    store.judgements.discard([judged("q", "b", by="ann", source="person").key])
    say("gone", "ann", True)
    say("gone", "bob", False)
    assert store.judgements.disputed(None, 9) == [("default", "q", "a")]
    store.judgements.remove(JudgementFilter(document="gone"))
    say("a", "ann", False, collection="other")
    say("a", "bob", True, minute=2, collection="other")
    assert store.judgements.disputed(None, 9) == [("other", "q", "a"), ("default", "q", "a")]
    assert store.judgements.disputed(None, 1) == [("other", "q", "a")]
    assert store.judgements.disputed("default", 9) == [("default", "q", "a")]
    # A third voice decides, whoever it is.
    say("a", "carol", True)
    assert store.judgements.disputed("default", 9) == []
    store.judgements.remove(JudgementFilter("other"))
    # With another text nobody has said anything.
    store.judgements.remove(JudgementFilter(by="carol"))
    put(store, a="another text")
    assert store.judgements.disputed(None, 9) == []


def test_judgements_are_discarded_by_their_keys(store: CorpusStore) -> None:
    put(store, a="kazu", b="moro")
    said = [Judgement(query="q", document=document, good=True, source="click", weight=0.5) for document in "ab"]
    person = Judgement(query="q", document="a", good=True, source="person", by="ann")
    store.judgements.add([*said, person])
    assert store.judgements.discard([said[0].key, said[0].key, ("default", "q", "z", "click", "")]) == 1
    assert store.judgements.discard([]) == 0
    assert [judgement.key for judgement in store.judgements.all()] == [person.key, said[1].key]
    assert store.judgements.discard([person.key, said[1].key]) == 2
    assert store.judgements.all() == []


def test_a_judgement_of_a_text_that_has_changed_is_stale_until_it_is_sent_again(store: CorpusStore) -> None:
    put(store, a="text", b="another")
    store.judgements.add([judged("q", "a"), judged("q", "b"), judged("q", "c")])
    put(store, a="another text", b="another", c="the first text of c")
    stale = JudgementFilter(stale=True)
    assert keys(store.judgements.all(stale)) == [("default", "q", "a")]
    assert store.judgements.all()[0].stale
    put(store, c="the second text of c")
    assert [one.document for one in store.judgements.all(stale)] == ["a", "c"]
    assert store.judgements.counts(JudgementFilter(stale=False)) == (1, 0)
    assert store.judgements.add([judged("q", "a")]).changed == 1
    assert [one.document for one in store.judgements.all(stale)] == ["c"]
    put(store, c="the first text of c")
    assert store.judgements.all(stale) == []
    # Nothing is stale of a document that is not there.
    put(store, a="a third text")
    store.documents.delete("default", ["a"], accept)
    assert store.judgements.all(stale) == []
    assert store.judgements.remove(JudgementFilter(stale=False)) == 3


def test_what_is_derived_again_stays_with_its_text(store: CorpusStore) -> None:
    put(store, a="text")
    store.judgements.replace([judged("q", "a", source="click", weight=0.5)], sources=DERIVED)
    put(store, a="another text")
    for weight in (0.5, 0.75):
        store.judgements.replace([judged("q", "a", source="click", weight=weight)], sources=DERIVED)
        assert [(one.weight, one.stale) for one in store.judgements.all()] == [(weight, True)]


def test_a_query_keeps_the_side_that_it_got_first(store: CorpusStore) -> None:
    put(store, **{f"d{n}": f"text {n}" for n in range(40)})
    trains, judges = of_side("train"), of_side("judge")
    for number, query in enumerate([trains[0], judges[0], trains[1]]):
        store.judgements.add([judged(query, f"d{number}", source="click")])
    assert sides(store) == {trains[0]: "train", judges[0]: "judge", trains[1]: "train"}
    store.judgements.remove(JudgementFilter(collection="default"))
    # What is sent judges, unless it is connected to a query of train, or the request says otherwise.
    store.judgements.add(
        [judged("sent", "d9"), judged("told", "d8", side="train"), judged(trains[0].upper() + "?", "d7")]
    )
    assert sides(store) == {"sent": "judge", "told": "train", trains[0].upper() + "?": "train"}
    # The good document of a query connects, also under another id, and a bad one does not.
    put(store, copy="Text  9")
    store.judgements.remove(JudgementFilter(collection="default"))
    store.judgements.add([judged(trains[2], "copy", source="click"), judged(trains[3], "d9", False, source="click")])
    assert sides(store) == {trains[2]: "judge", trains[3]: "train"}


@pytest.mark.parametrize("side", ["train", "judge"])
def test_a_query_that_nearly_equals_an_earlier_one_is_on_its_side_for_ever(store: CorpusStore, side: Side) -> None:
    put(store, a="the text a", b="the text b")
    query, misspelt = "how do I reset my password", "how do I reset my pasword"
    store.judgements.add([judged(query, "a", side=side)])
    store.judgements.remove(JudgementFilter())
    store.judgements.add([judged(misspelt, "b", side="judge" if side == "train" else "train")])
    assert sides(store) == {misspelt: side}


def test_a_query_that_nearly_equals_one_of_each_side_is_on_neither(store: CorpusStore) -> None:
    put(store, a="the text a", b="the text b")
    store.judgements.add([judged("reset my password", "a", side="judge"), judged("another", "b", side="train")])
    store.judgements.add([judged("reset my pasword", "b")])
    assert sides(store) == {"reset my password": "judge", "another": "train", "reset my pasword": None}
    store.judgements.remove(JudgementFilter(query="another"))
    assert sides(store)["reset my pasword"] is None


def test_a_query_that_connects_the_sides_is_on_neither(store: CorpusStore) -> None:
    put(store, a="text a", b="text b", c="text c")
    store.judgements.add([judged("judging", "a"), judged("training", "b", side="train")])
    store.judgements.add([judged("between", "a"), judged("between", "b")])
    assert sides(store) == {"judging": "judge", "training": "train", "between": None}
    for side, query in (("train", "training"), ("judge", "judging")):
        conditions = JudgementFilter(side=side)  # type: ignore[arg-type]
        assert {one.query for one in store.judgements.all(conditions)} == {query}
    # The side judge wins where two queries that are known get a document in common.
    store.judgements.remove(JudgementFilter(query="between"))
    store.judgements.add([judged("judging", "b")])
    assert sides(store) == {"judging": "judge", "training": None}
    store.judgements.add([judged("another", "b", source="click")])
    assert sides(store)["another"] == "judge"


def test_a_query_has_the_side_of_its_words_even_without_judgements(store: CorpusStore) -> None:
    assert store.judgements.side_of("how long") is None
    store.judgements.add([judged("How long?", "a", side="judge")])
    assert store.judgements.side_of("long how") == "judge"
    store.judgements.remove(JudgementFilter(query="How long?"))
    assert store.judgements.side_of("how long") == "judge"


def test_the_revision_grows_with_each_change_and_with_nothing_else(store: CorpusStore) -> None:
    judgements = store.judgements
    put(store, a="text")
    revisions = [judgements.revision()]

    def changed() -> bool:
        revisions.append(judgements.revision())
        return revisions[-1] > revisions[-2]

    judgements.add([judged("q", "a")])
    assert changed()
    judgements.add([judged("q", "a", False)])
    assert changed()
    judgements.replace([judged("p", "a")])
    assert changed()
    judgements.discard([judgements.all()[0].key])
    assert changed()
    judgements.add([judged("q", "a")])
    assert changed()
    judgements.remove(JudgementFilter(query="q"))
    assert changed()
    judgements.all()
    put(store, a="another text")
    assert not changed()
