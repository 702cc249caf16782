"""The judged queries: what reloads are judged by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from service.corpus.base import Documents, Judgement, Judgements, Seqs
from service.generations.generation import Generation
from service.index.base import View

UNJUDGED = (
    "it was not judged, because there are no judgements: PUT /admin/judgements says which documents answer which"
    " queries, and the next reload is judged by them"
)


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A judged query, the sequence numbers of its good and bad documents, and a view of each generation on them."""

    text: str
    collection: str
    good: Seqs
    bad: Seqs
    views: Sequence[View]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why nothing can be judged although there are judgements, and what to do."""

    reason: str
    remedy: str


class JudgedQueries:
    """Reads the judged queries, as they are at the moment."""

    def __init__(self, judgements: Judgements, documents: Documents) -> None:
        self._judgements = judgements
        self._documents = documents

    def unresolved(self) -> int:
        """How many judgements do not count, because their document is not in the corpus."""
        return self._judgements.counts()[1]

    def missing(self) -> Obstacle | None:
        """The obstacle if there are judgements, and all are of missing documents; else None."""
        count, unresolved = self._judgements.counts()
        if not count or unresolved < count:
            return None
        return Obstacle(
            f"it cannot be judged, because none of the judgements ({count}) is of a document in the corpus",
            "send judgements of documents that are there (PUT /admin/judgements), remove these (DELETE"
            " /admin/judgements?unresolved=true), or activate it with force",
        )

    def obstacle(self) -> Obstacle | None:
        """Why there is no judged query with a good document; None: there are no judgements at all."""
        count, _ = self._judgements.counts()
        if not count:
            return None
        return self.missing() or Obstacle(
            f"it cannot be judged, because none of the judgements ({count}) says of a document in the corpus that it"
            " is good",
            "send some that do (POST /admin/judgements), or activate it with force",
        )

    def warning(self) -> str | None:
        """The warning that judgements do not count; None: all do."""
        count, unresolved = self._judgements.counts()
        if not unresolved:
            return None
        return (
            f"{unresolved} of {count} judgements did not count, because their documents are not in the corpus: GET"
            " /admin/judgements?unresolved=true lists them"
        )

    def of(self, *generations: Generation) -> list[JudgedQuery]:
        """The judged queries that have a good document which all the generations have."""
        by_query: dict[tuple[str, str], list[Judgement]] = {}
        for judgement in self._judgements.all():
            by_query.setdefault((judgement.collection, judgement.query), []).append(judgement)
        queries = []
        for collection in dict.fromkeys(collection for collection, _ in by_query):
            by_text = {text: judgements for (name, text), judgements in by_query.items() if name == collection}
            ids = list({judgement.document for judgements in by_text.values() for judgement in judgements})
            seq_of = self._documents.seqs_of(collection, ids)
            seqs = np.fromiter(seq_of.values(), dtype=np.int64, count=len(seq_of))
            views = [generation.index.view(collection) for generation in generations]
            in_all = set(seqs[np.logical_and.reduce([view.holds(seqs, None) for view in views])].tolist())
            for text, judgements in by_text.items():
                good, bad = (
                    np.array([seq for seq in _seqs(judgements, seq_of, good=is_good) if seq in in_all], dtype=np.int64)
                    for is_good in (True, False)
                )
                if len(good):
                    queries.append(JudgedQuery(text, collection, good, bad, views))
        return queries


def _seqs(judgements: Sequence[Judgement], seq_of: Mapping[str, int], *, good: bool) -> list[int]:
    """The sequence numbers of the documents that are judged good, or bad, and are in the corpus."""
    documents = [judgement.document for judgement in judgements if judgement.good is good]
    return [seq_of[document] for document in documents if document in seq_of]
