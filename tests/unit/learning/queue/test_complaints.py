"""Complaints are the thumbs that users did not take back."""

from datetime import timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from service.learning.base import Event
from service.learning.queue.complaints import complaints
from tests.contract.feedback.stores import NOON, did


def test_users_count_once_each_and_their_documents_are_named() -> None:
    (complaint,) = complaints(
        [
            did("1", "bad", "a", user="ann"),
            did("2", "bad", "a", "b", user="ann"),
            did("3", "bad", user="bob"),
            did("4", "bad", "c", session="bob"),
        ]
    )
    assert (complaint.collection, complaint.query) == ("default", "q")
    assert (complaint.users, complaint.documents, complaint.at) == (3, ["a", "b", "c"], NOON)


def test_a_thumb_that_was_turned_is_no_complaint() -> None:
    turned = [did("1", "bad", "a", user="ann"), did("2", "good", "a", user="ann")]
    assert complaints(turned) == []
    assert complaints([did("1", "bad", "a", user="ann"), did("2", "withdraw", "a", user="ann")]) == []
    # On another document, or by somebody else, it is.
    assert complaints([*turned, did("3", "bad", "b", user="ann")])[0].documents == ["b"]
    assert complaints([did("1", "bad", user="ann"), did("2", "good", "a", user="ann")])[0].documents == []
    assert len(complaints([did("1", "bad", "a", user="ann"), did("2", "good", "a", user="bob")])) == 1
    # Answers to the same question are one, whatever the search.
    answers = [did("1", "bad", search="s1", user="ann"), did("2", "good", search="s2", user="ann")]
    assert complaints(answers) == []


def test_the_most_users_come_first_and_spellings_are_one_question() -> None:
    listed = complaints(
        [
            did("1", "bad", query="Late?", user="ann"),
            did("2", "bad", query="many", user="ann"),
            did("3", "bad", query="many", user="bob"),
            did("4", "bad", query="late", user="ann"),
            did("5", "bad", query="late", collection="other"),
        ]
    )
    assert [(one.collection, one.query, one.users) for one in listed] == [
        ("default", "many", 2),
        ("other", "late", 1),
        ("default", "late", 1),
    ]


THUMBS = st.builds(
    Event,
    id=st.uuids().map(str),
    at=st.integers(0, 3).map(lambda minutes: NOON + timedelta(minutes=minutes)),
    action=st.sampled_from(["good", "bad"]),
    collection=st.sampled_from("ab"),
    query=st.sampled_from(["q", "Q?", "p"]),
    documents=st.lists(st.sampled_from("xyz"), unique=True, max_size=2).map(tuple),
    user=st.sampled_from([None, "ann", "bob"]),
)


@given(st.lists(THUMBS, max_size=12, unique_by=lambda event: event.id), st.randoms())
def test_neither_the_order_nor_the_repetition_of_thumbs_matters(thumbs: list[Event], random: Random) -> None:
    shuffled = [*thumbs, *thumbs[:3]]
    random.shuffle(shuffled)
    assert complaints(shuffled) == complaints(thumbs)
