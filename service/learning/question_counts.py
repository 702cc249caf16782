"""How many judged questions a model may be trained and tested on, and why the others are not among them."""

from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, get_args

from service.corpus.base import Documents
from service.corpus.judgements import Judgement, JudgementFilter, Judgements
from service.learning.training_data import in_pages
from service.learning.verdicts import verdicts

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
