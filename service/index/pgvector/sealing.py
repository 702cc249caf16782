"""Brings windows of documents into the tables of an index, and builds the graphs of collections that have grown large.

What another replica has brought there is not written again.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TypeVar

import numpy as np

from service.corpus.base import Seqs
from service.index.base import GivenUp, IsGivenUp, Questions, VectorsMissing
from service.index.pgvector import tuning
from service.index.pgvector.entries import NONE, Busy, Entries, EntryTable, joined
from service.index.pgvector.graph import EntryGraphs, Tuned
from service.index.pgvector.point_search import PointSearch
from service.index.pgvector.sealed import Sealed
from service.index.pgvector.view import PgvectorView
from service.index.stores import VectorSource
from service.machine.arrays import Spans

# Documents that are written by one transaction.
_PORTION = 5000
# Seconds between two attempts while another process builds a graph.
_PAUSE = 0.5
_Result = TypeVar("_Result")


class Sealing:
    """Makes sealed parts of one index, for any thread.

    From `graph_from` windows in a collection on, a graph replaces exact search.
    """

    def __init__(
        self, entries: EntryTable, graphs: EntryGraphs, points_of: Callable[[int], PointSearch], graph_from: int
    ) -> None:
        self._entries = entries
        self._graphs = graphs
        self._points_of = points_of
        self._graph_from = graph_from

    def complete(
        self,
        store: VectorSource,
        live: Mapping[str, Seqs],
        to: int,
        given_up: IsGivenUp,
        questions: Questions | None,
    ) -> dict[str, Sealed]:
        """Make sealed parts of all documents in `live`, by collection, and bury the others up to `to`.

        Raises VectorsMissing, and GivenUp soon after `given_up` answers true.
        """
        there = self._entries.read(to)
        numbers = self._entries.partitions()
        tuned = self._graphs.tuned()
        for collection, number in numbers.items():
            entries = there.get(number, NONE)
            dead = np.setdiff1d(entries.seqs, live.get(collection, NONE.seqs))
            if len(dead):
                _in_turn(partial(self._entries.bury, number, dead), given_up)
        sealed: dict[str, Sealed] = {}
        for collection, seqs in live.items():
            number = numbers.get(collection) or self._entries.partition(collection)
            entries = self._completed(store, number, seqs, there.get(number, NONE), given_up)
            sealed[collection] = self._with_graph(number, entries, tuned.get(number), given_up, questions)
        return sealed

    def seal(self, collection: str, view: PgvectorView, given_up: IsGivenUp, questions: Questions | None) -> Sealed:
        """Make a sealed part of all documents in the view.

        Raises GivenUp, and Busy.
        """
        number = self._entries.partition(collection)
        rows = view.fresh.rows[view.fresh.live]
        entries = NONE
        if view.sealed is not None:
            entries = view.sealed.entries[view.sealed_live]
            self._entries.bury(number, np.unique(view.sealed.entries.seqs[~view.sealed_live]))
        if len(rows):
            entries = joined(entries, self._entries.add(number, rows))
        tuned = None if view.sealed is None else view.sealed.tuned
        return self._with_graph(number, entries, tuned, given_up, questions)

    def bury(self, dead: Iterable[tuple[str, Seqs]]) -> None:
        """Note that documents of collections in the tables have died, and delete what died long ago. Raises Busy."""
        numbers = self._entries.partitions()
        for collection, seqs in dead:
            if len(seqs) and collection in numbers:
                self._entries.bury(numbers[collection], seqs)
        for number in self._entries.expired():
            self._entries.bury(number, ())

    def _completed(self, store: VectorSource, number: int, seqs: Seqs, there: Entries, given_up: IsGivenUp) -> Entries:
        """Return the windows of the ascending documents `seqs`, and add those to the table that are not `there`."""
        there = there[np.isin(there.seqs, seqs)]
        others = _cut_otherwise(there, *store.cuts(np.unique(there.seqs)))
        there = there[~np.isin(there.seqs, others)]
        lacking = np.setdiff1d(seqs, there.seqs, assume_unique=False)
        parts = [there]
        for start in range(0, len(lacking), _PORTION):
            rows = store.get(lacking[start : start + _PORTION])
            if rows is None:
                raise VectorsMissing
            parts.append(_in_turn(partial(self._entries.add, number, rows), given_up))
        return joined(*parts)

    def _with_graph(
        self, number: int, entries: Entries, tuned: Tuned | None, given_up: IsGivenUp, questions: Questions | None
    ) -> Sealed:
        """Make a sealed part, with a graph if it is large."""
        points = self._points_of(number)
        if len(entries) < self._graph_from:
            return Sealed(points, entries)
        size = len(np.unique(entries.points))
        if tuned is None or self._graphs.has_outgrown(number, size):
            _in_turn(partial(self._graphs.build, number, size, given_up), given_up)
            tuned = tuning.tuned(Sealed(points, entries), self._graphs.min_recall, given_up, questions)
            self._graphs.record(number, tuned, size)
        return Sealed(points, entries, tuned)


def _in_turn(work: Callable[[], _Result], given_up: IsGivenUp) -> _Result:
    """Do the work as soon as no other process is at it. Raises GivenUp soon after `given_up` answers true."""
    while True:
        if given_up():
            raise GivenUp
        try:
            return work()
        except Busy:
            time.sleep(_PAUSE)


def _cut_otherwise(there: Entries, cut: Seqs, spans: Spans) -> Seqs:
    """Return the documents that have other windows than the documents `cut`, one for each window of `spans` (n, 2)."""
    is_cut = there.spans[:, 1] > 0
    if np.array_equal(there.seqs[is_cut], cut) and np.array_equal(there.spans[is_cut], spans):
        return NONE.seqs
    before, now = _by_document(there.seqs[is_cut], there.spans[is_cut]), _by_document(cut, spans)
    differing = sorted(seq for seq in before.keys() | now.keys() if before.get(seq) != now.get(seq))
    return np.array(differing, np.int64)


def _by_document(seqs: Seqs, spans: Spans) -> dict[int, bytes]:
    """Return the spans of each document, packed."""
    numbers, starts = np.unique(seqs, return_index=True)
    return {seq: part.tobytes() for seq, part in zip(numbers.tolist(), np.split(spans, starts[1:]), strict=False)}
