"""How many judged questions a model may be trained and tested on, and why the others are not among them."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, get_args

from service.corpus.base import Documents
from service.corpus.judgements import Judgement, JudgementFilter, Judgements
from service.learning.training_data import in_pages
from service.learning.verdicts import verdicts

# Everything is read each time. So where that takes longer than the first of these, counts are kept for so many times as
# long: somebody who judges a passage every few seconds takes a small share of a processor.
_UNNOTICED, _REST = 0.2, 10
# Later ones win: a question of two collections is what it is in the better one.
_Kind = Literal["without_good", "missing", "neither", "judging", "training"]
_KINDS: tuple[_Kind, ...] = get_args(_Kind)


@dataclass(frozen=True, slots=True)
class QuestionCounts:
    """Judged questions by their use. Each counts once, whatever collections it was judged in.

    Questions of the first three kinds have a document in the corpus that counts as good, and that something else than a
    model called so: they are of the side train, of the side judge, or would connect the two. `missing` have such
    documents that are not there or have another text since, and `without_good` have none.
    """

    training: int
    judging: int
    neither: int
    missing: int
    without_good: int


class QuestionCounter:
    """Counts judged questions by their use. With many thousand judgements, the counts may be some seconds old."""

    def __init__(
        self, judgements: Judgements, documents: Documents, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Count nothing yet. `clock` gives seconds."""
        self._judgements = judgements
        self._documents = documents
        self._clock = clock
        # The moment until which counts are kept, by collection.
        self._kept: dict[str | None, tuple[float, QuestionCounts]] = {}

    def count(self, collection: str | None) -> QuestionCounts:
        """Count the judged questions of `collection` (None: of all). Raises as the corpus does."""
        began = self._clock()
        kept = self._kept.get(collection)
        if kept is not None and began < kept[0]:
            return kept[1]
        counts = count_questions(self._judgements, self._documents, collection)
        ended = self._clock()
        if ended - began > _UNNOTICED:
            self._kept[collection] = ended + _REST * (ended - began), counts
        else:
            self._kept.pop(collection, None)
        return counts


def count_questions(judgements: Judgements, documents: Documents, collection: str | None) -> QuestionCounts:
    """Count the judged questions of `collection` (None: of all) by their use."""
    kinds: dict[str, _Kind] = {}
    everything = in_pages(judgements, JudgementFilter(collection))
    for (name, query, document), said in groupby(everything, lambda judgement: judgement.pair):
        former = kinds.setdefault(query, "without_good")
        kind = _kind(list(said))
        # Only what would change the kind is looked for in the corpus.
        if _rank(kind) > max(_rank("missing"), _rank(former)) and not documents.seqs_of(name, [document]):
            kind = "missing"
        kinds[query] = max(former, kind, key=_rank)
    counts = Counter(kinds.values())
    return QuestionCounts(**{kind: counts[kind] for kind in _KINDS})


def _kind(said: list[Judgement]) -> _Kind:
    """Judge a question by what was said of one document, as if that was there."""
    verdict = next(verdicts(said), None)
    if verdict is not None:
        return _use(verdict) if _counts(verdict) else "without_good"
    stale = any(judgement.stale and _counts(judgement) for judgement in said)
    return "missing" if stale else "without_good"


def _counts(judgement: Judgement) -> bool:
    # Judgements that a model made are trained on, and test nothing.
    return judgement.good and judgement.source != "generated"


def _use(verdict: Judgement) -> _Kind:
    return "neither" if verdict.side is None else "training" if verdict.side == "train" else "judging"


def _rank(kind: _Kind) -> int:
    return _KINDS.index(kind)
