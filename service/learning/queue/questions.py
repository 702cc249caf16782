"""Questions that may be worth a person's minute, and the choice of those that are searched for a closer look."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Literal, TypeVar

from service.corpus.judgements import Judgement
from service.corpus.sides import query_node
from service.learning.base import Frequency
from service.learning.queue.complaints import Complaint
from service.learning.queue.disagreement import Disagreement, disagree, waits_for

# bad: users gave a thumb down; unjudged: asked often, and nobody has judged a document for it; generations: they rank
# other documents first; modes: the words of the query lead to other documents than its vector; people: as many call a
# document good as bad.
Reason = Literal["bad", "unjudged", "generations", "modes", "people"]

# So many searches are often.
_OFTEN = 2
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Question:
    """A question that users have asked in `searches` of those that were counted, with what they complained of.

    `spellings` are queries in the same words, `query` the one that stands for them.
    """

    collection: str
    query: str
    spellings: frozenset[str]
    searches: int = 0
    complaint: Complaint | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question with all judgements of documents for it, in any spelling. Stale ones are left out.

    `unsure` has hashes of the texts of which the person who asks was not sure.
    """

    question: Question
    judgements: Sequence[Judgement]
    unsure: Sequence[str] = ()

    def reasons(self, by: str | None) -> set[Reason]:
        """The reasons that need no search, for the person `by`; None: for anybody."""
        reasons: set[Reason] = set()
        if self.question.complaint is not None:
            reasons.add("bad")
        if self.question.searches >= _OFTEN and not self.judgements:
            reasons.add("unjudged")
        if self.disputed(by):
            reasons.add("people")
        return reasons

    def disputed(self, by: str | None) -> list[str]:
        """The documents of which people disagree, and that wait for the person `by`; None: for anybody."""
        said: defaultdict[str, list[Judgement]] = defaultdict(list)
        for judgement in self.by_people(None):
            said[judgement.document].append(judgement)
        return [
            document for document, of_document in said.items() if disagree(of_document) and waits_for(of_document, by)
        ]

    def by_people(self, by: str | None) -> list[Judgement]:
        """The judgements of the person `by`; None: of anybody."""
        people = [judgement for judgement in self.judgements if judgement.source == "person"]
        return [judgement for judgement in people if by in (None, judgement.by)]


def in_turns(*lists: Iterable[_T]) -> list[_T]:
    """The first of each list, then the second of each, and so on."""
    return [item for turn in zip_longest(*lists) for item in turn if item is not None]


def gathered(
    complaints: Iterable[Complaint], frequencies: Iterable[Frequency], disagreements: Iterable[Disagreement] = ()
) -> list[Question]:
    """Questions with complaints, those that are asked often, and those of which people disagree, in turns.

    Questions in the same words are one.
    """
    by_words: dict[tuple[str, bytes], Question] = {}
    subjects: list[Complaint | Frequency | Disagreement] = in_turns(complaints, frequencies, disagreements)
    for subject in subjects:
        words = (subject.collection, query_node(subject.query))
        former = by_words.get(words) or Question(subject.collection, subject.query, frozenset())
        question = replace(former, spellings=former.spellings | {subject.query})
        if isinstance(subject, Complaint):
            question = replace(question, complaint=subject)
        elif isinstance(subject, Frequency):
            question = replace(question, searches=question.searches + subject.searches)
        by_words[words] = question
    return list(by_words.values())


def chosen(candidates: Iterable[Candidate], by: str | None, most: int) -> list[Candidate]:
    """Choose up to `most` of the candidates to be searched, the first of those that the person `by` has not begun.

    A quarter, or more if there is room, are those that were begun, the ones with the fewest judgements first, because
    whether any passage is open shows only when the question is searched. A question on which people disagree counts as
    not begun. `by` of None stands for everybody. No more candidates are taken than it needs.
    """
    untouched: list[Candidate] = []
    begun: list[tuple[int, Candidate]] = []
    for candidate in candidates:
        closed = len({judgement.document for judgement in candidate.by_people(by)}) + len(candidate.unsure)
        # The passage that people disagree on may be the one of which this person is not sure.
        if closed and (candidate.unsure or not candidate.disputed(by)):
            begun.append((closed, candidate))
        else:
            untouched.append(candidate)
        if len(untouched) == most:
            break
    room = max(most // 4, most - len(untouched))
    again = [candidate for _, candidate in sorted(begun, key=lambda counted: counted[0])][:room]
    return untouched[: most - len(again)] + again
