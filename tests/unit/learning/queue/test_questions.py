"""Questions are gathered from complaints and searches, and those that nobody has begun are looked at first."""

from collections.abc import Iterator, Sequence

from service.corpus.judgements import Judgement, Source
from service.learning.base import Frequency
from service.learning.queue.complaints import Complaint
from service.learning.queue.disagreement import Disagreement
from service.learning.queue.questions import Candidate, Question, chosen, gathered, in_turns
from tests.contract.feedback.stores import NOON


def complaint(query: str, users: int = 1) -> Complaint:
    return Complaint("default", query, users, NOON, [])


def candidate(query: str, *judgements: Judgement, searches: int = 1) -> Candidate:
    return Candidate(Question("default", query, frozenset([query]), searches), judgements)


def by(name: str | None, document: str = "a", source: Source = "person", good: bool = True) -> Judgement:
    return Judgement(query="q", document=document, good=good, source=source, by=name)


def queries(candidates: Sequence[Candidate]) -> list[str]:
    return [each.question.query for each in candidates]


def test_lists_take_turns() -> None:
    assert in_turns([1, 2, 3], [], [4], [5, 6]) == [1, 4, 5, 2, 6, 3]
    assert in_turns() == []


def test_complaints_and_frequent_questions_are_gathered_in_turns_and_words_are_one_question() -> None:
    frequencies = [
        Frequency("default", "often", 9),
        Frequency("default", "A, late", 4),
        Frequency("other", "late a", 2),
    ]
    questions = gathered([complaint("late? A", 3), complaint("bad")], [*frequencies, Frequency("default", "BAD!", 1)])
    assert [(question.collection, question.query, question.searches) for question in questions] == [
        ("default", "late? A", 4),
        ("default", "often", 9),
        ("default", "bad", 1),
        ("other", "late a", 2),
    ]
    assert questions[0].spellings == {"late? A", "A, late"}
    assert questions[0].complaint == complaint("late? A", 3)
    assert questions[1].complaint is None


def test_a_question_is_unjudged_only_if_it_was_asked_often_and_nobody_said_anything() -> None:
    assert candidate("q", searches=2).reasons(None) == {"unjudged"}
    assert candidate("q", searches=1).reasons(None) == set()
    assert candidate("q", by("ann", source="click"), searches=9).reasons(None) == set()
    complained = Candidate(Question("default", "q", frozenset("q"), 2, complaint("q")), [])
    assert complained.reasons(None) == {"bad", "unjudged"}


def test_a_question_that_people_disagree_on_is_gathered_beside_the_others() -> None:
    disagreements = [Disagreement("default", "Late, a", ["x"]), Disagreement("other", "split", ["y"])]
    questions = gathered([complaint("late? A")], [Frequency("default", "often", 9)], disagreements)
    assert [(question.collection, question.query) for question in questions] == [
        ("default", "late? A"),
        ("default", "often"),
        ("other", "split"),
    ]
    assert questions[0].spellings == {"late? A", "Late, a"}


def test_people_disagree_only_while_as_many_call_a_document_good_as_bad() -> None:
    split = [by("ann"), by("bob", good=False), by("ann", "b"), by("bob", "b")]
    assert candidate("q", *split).reasons(None) == {"people"}
    assert candidate("q", *split).disputed("carol") == ["a"]
    assert candidate("q", *split, by("carol")).reasons(None) == set()
    assert candidate("q", by("ann"), by(None, source="sent", good=False)).reasons(None) == set()


def test_a_question_that_people_disagree_on_counts_as_one_that_was_not_begun() -> None:
    begun = [candidate(f"begun {n}", by("carol", f"d{n}")) for n in range(8)]
    split = candidate("split", by("carol", "z"), by("carol", "y"), by("ann"), by("bob", good=False))
    assert queries(chosen([*begun, split], "carol", 1)) == ["split"]
    # Whether it is that passage of which the person is not sure shows when the question is searched.
    left = Candidate(split.question, split.judgements, ["hash"])
    assert queries(chosen([*begun, left], "carol", 1)) == ["begun 0"]


def test_those_that_nobody_has_begun_are_chosen_first_and_a_quarter_of_the_others() -> None:
    begun = [candidate(f"begun {n}", *(by("ann", f"d{m}") for m in range(9 - n))) for n in range(4)]
    untouched = [candidate(f"new {n}", by(None, source="sent"), by("bob", source="feedback")) for n in range(9)]
    assert queries(chosen([*begun, *untouched], None, 8)) == [
        *(f"new {n}" for n in range(6)),
        # Those with the fewest judgements may still have something open.
        *("begun 3", "begun 2"),
    ]
    assert len(chosen([*begun, *untouched], None, 100)) == 13
    assert queries(chosen([*begun, *untouched[:2]], None, 4)) == ["new 0", "new 1", "begun 3", "begun 2"]
    # To somebody else, what ann has begun is new.
    assert queries(chosen([*begun, *untouched], "bob", 4)) == [f"begun {n}" for n in range(4)]


def test_a_question_is_begun_by_a_person_who_is_not_sure_of_a_passage() -> None:
    unsure = Candidate(Question("default", "unsure", frozenset(["unsure"])), [], ["hash"])
    assert queries(chosen([unsure, candidate("new")], "ann", 1)) == ["new"]


def test_no_more_candidates_are_read_than_it_takes() -> None:
    read: list[int] = []

    def candidates() -> Iterator[Candidate]:
        for number in range(1000):
            read.append(number)
            yield candidate(str(number))

    assert len(chosen(candidates(), None, 5)) == 5
    assert len(read) == 5
