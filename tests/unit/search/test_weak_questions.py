"""A weak question is a sentence of its document, and what it is to find is the document without it."""

from hypothesis import given
from hypothesis import strategies as st

from service.search.weak_questions import made_of

WORDS = st.lists(st.sampled_from(["kazu", "moro", "tibu", "ralo", "E-17", "温度"]), min_size=1, max_size=12).map(
    " ".join
)
TEXTS = st.lists(st.tuples(WORDS, st.sampled_from([". ", "! ", "?\n", "\n\n", "。", " "])), max_size=12).map(
    lambda parts: "".join(words + end for words, end in parts)
)


@given(texts=st.lists(TEXTS, max_size=6), most=st.integers(1, 6))
def test_a_question_and_its_rest_are_the_passage(texts: list[str], most: int) -> None:
    questions = made_of(enumerate(texts), most)
    assert len(questions) <= most
    assert len({question.seq for question in questions}) == len(questions)
    for question in questions:
        assert question.text in texts[question.seq]
        words = question.passage.split()
        assert sorted(question.text.split() + question.rest.split()) == sorted(words)
        assert question.text not in question.rest or words.count(question.text.split()[0]) > 1


def test_equal_documents_give_equal_questions() -> None:
    texts = [(number, f"one two three {number}. four five six seven eight nine ten. " * 3) for number in range(20)]
    assert made_of(texts, 10) == made_of(texts, 10) == made_of(texts, 20)[:10]


def test_documents_that_would_be_nothing_without_a_sentence_give_none() -> None:
    assert (
        made_of([(1, ""), (2, "A whole document in one sentence."), (3, "Few words. And few more words here.")], 9)
        == []
    )


def test_a_long_document_is_asked_for_by_a_part_of_it() -> None:
    (question,) = made_of([(5, " ".join(f"The harbour {n} of island {n} closes." for n in range(1000)))], 1)
    assert len(question.passage) < 1400
