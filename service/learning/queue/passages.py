"""The passages of a question, as a person sees them: nothing tells which generation or mode has found one."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from hashlib import sha256

from service.corpus.base import Document
from service.corpus.judgements import Judgement
from service.learning.queue.disagreement import disagree, waits_for


@dataclass(frozen=True, slots=True)
class Passage:
    """A document to be judged for a question.

    It is `open` until somebody has judged its present text: the person who asks, or anybody if that is nobody in
    particular. It is not while that person is `unsure` of it. `good` is what was said then; None also if people
    disagree evenly. `people` counts those who judged it. While they `disagree`, it is open to whoever can decide.
    """

    document: Document
    open: bool
    good: bool | None
    people: int
    unsure: bool
    disagree: bool = False


def blind(collection: str, query: str, documents: Iterable[str]) -> list[str]:
    """Order documents in a way that says nothing of them, and is the same way each time."""
    return sorted(set(documents), key=lambda document: sha256(f"{query}\0{collection}\0{document}".encode()).digest())


def passages(
    ids: Sequence[str], documents: Mapping[str, Document], people: Sequence[Judgement], unsure: Set[str], by: str | None
) -> list[Passage]:
    """Return the passages with these ids, in their order, without those of documents that are gone.

    `people` are judgements of people that are not stale, `by` is the person who asks; None: nobody in particular.
    `unsure` are the ids of documents of which this person was not sure, and did not judge since.
    """
    made: list[Passage] = []
    for identity in ids:
        if identity in documents:
            of_document = [judgement for judgement in people if judgement.document == identity]
            said = [judgement for judgement in of_document if by in (None, judgement.by)]
            voices = {judgement.by for judgement in of_document}
            is_unsure = identity in unsure and not said
            is_disputed = disagree(of_document)
            is_open = not is_unsure and (not said or (is_disputed and waits_for(of_document, by)))
            made.append(Passage(documents[identity], is_open, _majority(said), len(voices), is_unsure, is_disputed))
    return made


def _majority(said: Sequence[Judgement]) -> bool | None:
    lead = sum(1 if judgement.good else -1 for judgement in said)
    return lead > 0 if lead else None
