"""The index of words: what was written last in memory, everything before it on the disk."""

import logging
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from service.corpus.base import Change, Documents, Seqs, Span
from service.index.base import GivenUp, IsGivenUp, Maintenance, Publish
from service.index.keywords import highlights
from service.index.keywords.analysis import Analysis
from service.index.keywords.folder import WordFolder
from service.index.keywords.fresh import FreshPart, Row
from service.index.keywords.sealed import SealedPart
from service.index.keywords.view import TwoPartView

log = logging.getLogger(__name__)

# The fresh part is sealed from so many documents on. Dead ones are removed with it, or if there are as many.
_SEAL_FROM = 4096
# It is sealed from so many stems on as well, whose documents may be few: memory and each start pay for them, with up
# to 100 MB and a second or two.
_SEAL_FROM_STEMS = 1_000_000
# The share of the sealed part that may be dead before it is written again.
_MOST_DEAD = 0.25
# Documents whose texts are read together. Each may be long.
_READ_TOGETHER = 100


class TwoPartKeywords:
    """The `KeywordIndex` of a folder. Any thread may search it through `view`."""

    def __init__(
        self,
        folder: Path,
        documents: Documents,
        seal_from: int = _SEAL_FROM,
        seal_from_stems: int = _SEAL_FROM_STEMS,
    ) -> None:
        self._documents = documents
        self._folder = WordFolder(folder)
        self._seal_from = seal_from
        self._seal_from_stems = seal_from_stems
        self._analysis = Analysis()
        self._fresh = FreshPart()
        self._died: list[int] = []
        # Versions that died before the process began, and that nobody has removed from the sealed part.
        self._died_before = 0
        self._sealed = self._folder.sealed()
        self._view = TwoPartView(self._analysis, self._sealed, self._fresh.view())

    @property
    def complete_to(self) -> int:
        """See `KeywordIndex`."""
        return self._fresh.rows[-1].seq if self._fresh.rows else self._sealed.complete_to

    def view(self) -> TwoPartView:
        """Return the index as the last write left it."""
        return self._view

    def highlights(self, query: str, texts: Sequence[str], collection: str | None = None) -> list[list[Span]]:
        """Return for each text the spans that a search for `query` finds in it, ascending and disjoint."""
        clauses = self._analysis.of_query(query) if collection is None else self._view.telling(query, collection)
        return highlights.spans(self._analysis, clauses, texts)

    def load(self) -> None:
        """Make every document of the corpus searchable, before the first write. Raises as the corpus does."""
        if self._sealed.complete_to > self._documents.last_seq():
            log.warning("the index of words has words of writes that the corpus does not have: it is built again")
            self._sealed = self._folder.erase()
        later = _by_collection(self._documents.live(self._sealed.complete_to))
        rows, fresh = self._read(later), FreshPart()
        for row in rows:
            fresh.add([row])
            if self._is_large(fresh):
                log.info("reading the words of %d documents", len(later))
                every = chain(fresh.rows, rows)
                self._sealed = self._folder.add(every, (), self._sealed.complete_to, later[-1][0])
                break
        else:
            self._fresh = fresh
        sealed_live = sum(self._documents.collections().values()) - len(self._fresh.rows)
        self._died_before = max(0, self._sealed.live - 1 - sealed_live)
        self._show()

    def prepare(self, change: Change, texts: Sequence[str]) -> Publish:
        """Prepare the effect of one write, with the texts of the added versions. The returned function shows it."""
        rows = [
            Row(seq, change.collection, self._analysis.of_document(text))
            for seq, text in zip(change.added, texts, strict=True)
        ]

        def publish() -> None:
            self._fresh.add(rows)
            self._died.extend(change.died)
            self._show()

        return publish

    def maintain(self) -> Sequence[Maintenance]:
        """Seal the fresh part if it has grown large, or remove dead versions if there are many."""
        sealed_dead = self._sealed.entries - self._sealed.live + self._died_before + len(self._died)
        if sealed_dead > max(self._seal_from, int(_MOST_DEAD * self._sealed.entries)):
            return [self._write_again]
        return [self._seal] if self._is_large(self._fresh) else []

    def _is_large(self, fresh: FreshPart) -> bool:
        return len(fresh.rows) >= self._seal_from or fresh.tokens >= self._seal_from_stems

    def _seal(self, given_up: IsGivenUp) -> Publish:
        """Add the fresh part to the sealed one, and remove dead versions from it."""
        fresh, died = self._fresh, list(self._died)
        end = len(fresh.rows)
        dead = set(died)
        rows = (row for row in fresh.rows[:end] if row.seq not in dead)
        if self._died_before:
            living = np.concatenate([np.empty(0, np.int64), *self._documents.live().values()])
            dead.update(np.setdiff1d(self._sealed.seqs(), living).tolist())
        after, complete_to = self._sealed.complete_to, fresh.rows[end - 1].seq
        sealed = self._folder.add(_until(given_up, rows), sorted(dead), after, complete_to)
        return self._replacing(sealed, fresh, end, len(died))

    def _write_again(self, given_up: IsGivenUp) -> Publish:
        """Write the sealed part again, with all documents that live."""
        fresh, died = self._fresh, len(self._died)
        end = len(fresh.rows)
        complete_to = fresh.rows[end - 1].seq if end else self._sealed.complete_to
        live = [(seq, name) for seq, name in _by_collection(self._documents.live()) if seq <= complete_to]
        rows = _until(given_up, self._read(live))
        return self._replacing(self._folder.write_again(rows, complete_to), fresh, end, died)

    def _replacing(self, sealed: SealedPart, fresh: FreshPart, end: int, died: int) -> Publish:
        """Return what puts `sealed` in place of the former one, the first `end` fresh rows and the first `died`."""
        remaining = FreshPart()
        known = len(fresh.rows)
        remaining.add(fresh.rows[end:known])

        def publish() -> None:
            remaining.add(fresh.rows[known:])
            self._fresh, self._sealed, self._died_before = remaining, sealed, 0
            del self._died[:died]
            self._show()

        return publish

    def _show(self) -> None:
        self._view = TwoPartView(self._analysis, self._sealed, self._fresh.view())

    def _read(self, seqs: Sequence[tuple[int, str]]) -> Iterator[Row]:
        """Read documents of the corpus, given by sequence number and collection, without those that are gone."""
        for start in range(0, len(seqs), _READ_TOGETHER):
            part = seqs[start : start + _READ_TOGETHER]
            versions = self._documents.fetch([seq for seq, _ in part])
            for seq, collection in part:
                if seq in versions:
                    yield Row(seq, collection, self._analysis.of_document(versions[seq].text))


def _until(given_up: IsGivenUp, rows: Iterator[Row]) -> Iterator[Row]:
    for row in rows:
        if given_up():
            raise GivenUp
        yield row


def _by_collection(live: dict[str, Seqs]) -> list[tuple[int, str]]:
    """Return the sequence numbers of all collections with their collections, ascending."""
    pairs = [(seq, collection) for collection, seqs in live.items() for seq in np.asarray(seqs).tolist()]
    return sorted(pairs)
