"""The data that may be trained on: documents, and the verdicts on queries of the side train. Nothing else leads out."""

from collections.abc import Iterator, Set
from dataclasses import dataclass

import numpy as np

from service.corpus.base import Documents, Version
from service.corpus.judgements import Judgement, JudgementFilter, Judgements, Source
from service.learning.verdicts import verdicts

# Judgements and documents that are read at a time.
_PAGE = 500


@dataclass(frozen=True, slots=True)
class ExportedDocument:
    """A version of a document, and the collection that it is in."""

    collection: str
    version: Version


class TrainingData:
    """Reads what may be trained on, a portion at a time."""

    def __init__(self, judgements: Judgements, documents: Documents) -> None:
        self._judgements = judgements
        self._documents = documents

    def judgements(self, collection: str | None, sources: Set[Source] | None) -> Iterator[Judgement]:
        """The verdicts of `sources` (None: of all) on queries of the side train in `collection` (None: in all).

        Those of documents that are not in the corpus are left out.
        """
        wanted = JudgementFilter(collection, side="train", stale=False)
        for verdict in verdicts(in_pages(self._judgements, wanted), sources):
            if self._documents.seqs_of(verdict.collection, [verdict.document]):
                yield verdict

    def documents(self, collection: str | None, after: int) -> tuple[int, Iterator[ExportedDocument]]:
        """Count and yield the documents of `collection` (None: of all) that have numbers above `after`, ascending.

        They are those of one moment, without what is purged before it is read.
        """
        live = self._documents.live(after)
        by_name = live if collection is None else {name: seqs for name, seqs in live.items() if name == collection}
        seqs = np.concatenate([np.empty(0, dtype=np.int64), *by_name.values()])
        names = np.repeat(np.array(list(by_name), dtype=object), [len(part) for part in by_name.values()])
        order = np.argsort(seqs)
        return len(seqs), self._read(seqs[order].tolist(), names[order].tolist())

    def _read(self, seqs: list[int], names: list[str]) -> Iterator[ExportedDocument]:
        for start in range(0, len(seqs), _PAGE):
            portion = slice(start, start + _PAGE)
            documents = self._documents.fetch(seqs[portion])
            for seq, name in zip(seqs[portion], names[portion], strict=True):
                if seq in documents:
                    yield ExportedDocument(name, Version(seq, documents[seq]))


def in_pages(judgements: Judgements, conditions: JudgementFilter) -> Iterator[Judgement]:
    """Yield the judgements that meet all conditions in the order of their keys, of which a page is read at a time."""
    after = None
    while page := judgements.page(conditions, after, _PAGE):
        yield from page
        after = page[-1].key
