"""The sealed part of the index of words: an index of Tantivy on the disk, as it was at one moment."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tantivy import DocAddress, Occur, Query, Schema, SchemaBuilder, Searcher

from service.corpus.base import Seqs
from service.index.keywords import bm25
from service.index.keywords.analysis import Clause

TOKENIZER = "spaced"
SEQ, COLLECTION, STEMS, MARK = "seq", "collection", "stems", "mark"
# The stem of the one entry that is no document. No text has it, because it is no letter.
MARK_STEM = "\1"
# A phrase is counted if its rarest word is in no more versions than this, and else taken for as frequent as that.
_MOST_COUNTED = 20_000
_REMEMBERED = 20_000


def schema() -> Schema:
    """Return the fields of an entry."""
    builder = SchemaBuilder()
    builder.add_unsigned_field(SEQ, fast=True, indexed=True)
    builder.add_text_field(COLLECTION, tokenizer_name="raw", index_option="basic")
    builder.add_text_field(STEMS, tokenizer_name=TOKENIZER, index_option="position")
    builder.add_unsigned_field(MARK, fast=True)
    return builder.build()


class SealedPart:
    """Ranks and counts the versions of a searcher's moment. Safe from any thread.

    It is complete up to the sequence number `complete_to`. `entries` counts all that was ever added, dead ones and the
    mark included. `mean_length` is the mean number of their stems, by which Tantivy scores.
    """

    def __init__(self, searcher: Searcher) -> None:
        self._searcher = searcher
        self._schema = schema()
        self._counts: dict[tuple[Clause, str], int] = {}
        self.complete_to, self.entries, self.mean_length = _marked(searcher, self._schema)

    @property
    def live(self) -> int:
        """The number of entries that were not removed from it."""
        return int(self._searcher.num_docs)

    def lengths(self) -> tuple[int, float]:
        """Return the number of versions that were not removed from it, and their stems.

        All collections count. Removed versions are taken to be as long as the others.
        """
        marks = self._frequency(MARK_STEM)
        versions = self.entries - marks
        living = min(max(0, self.live - 1), versions)
        return living, living * (self.mean_length * self.entries - marks) / max(1, versions)

    def seqs(self) -> Seqs:
        """Return the sequence numbers of all versions that were not removed from it."""
        hits = self._searcher.search(Query.all_query(), max(1, self.live), count=False).hits
        seqs = np.array(self._numbers([address for _, address in hits]), dtype=np.int64)
        return seqs[seqs > 0]

    def documents(self, collection: str) -> int:
        """Count the versions of a collection."""
        return int(self._searcher.doc_freq(COLLECTION, collection))

    def count(self, clause: Clause, collection: str) -> int:
        """Count the versions of a collection that have the clause."""
        key = clause, collection
        count = self._counts.get(key)
        if count is None:
            count = self._count(clause, collection)
            if len(self._counts) < _REMEMBERED:
                self._counts[key] = count
        return count

    def best(
        self, weights: Sequence[tuple[Clause, float]], collection: str, limit: int, among: Seqs | None
    ) -> tuple[dict[int, float], float, bool]:
        """Return some versions with their scores, in any order.

        Every version that scores more than the second value is among them, with `limit` of each of two searches at
        most; the third says whether there are no others. Tantivy finds the best by words alone without looking at the
        others (block-max WAND: Ding and Suel 2011). A phrase would take that from it, so versions that have one are
        searched by themselves.
        """
        parts = [(clause, self._query(clause, weight)) for clause, weight in weights if self._has(clause)]
        words = [query for clause, query in parts if len(clause.stems) == 1]
        phrases = [query for clause, query in parts if len(clause.stems) > 1]
        hits: dict[int, float] = {}
        least, ended = 0.0, True
        for wanted, others in ((words, ()), (phrases, words)):
            if not wanted:
                continue
            scored = self._search(self._within(wanted, others, collection, among), limit)
            for seq, score in scored:
                hits[seq] = max(score, hits.get(seq, 0.0))
            if len(scored) == limit:
                least, ended = max(least, scored[-1][1]), False
        return hits, least, ended

    def _search(self, query: Query, limit: int) -> list[tuple[int, float]]:
        hits = self._searcher.search(query, min(limit, max(1, self.entries)), count=False).hits
        seqs = self._numbers([address for _, address in hits])
        return [(seq, score) for seq, (score, _) in zip(seqs, hits, strict=True)]

    def _numbers(self, addresses: list[DocAddress]) -> list[int]:
        """Return the sequence number of each entry; that of the mark is 0."""
        return [int(seq or 0) for seq in self._searcher.fast_field_values(SEQ, addresses)]

    def _within(self, wanted: Sequence[Query], others: Sequence[Query], collection: str, among: Seqs | None) -> Query:
        """Return the query for versions that have something `wanted`, to whose scores the `others` add."""
        any_of = [(Occur.Should, query) for query in wanted]
        conditions = []
        if not self.has_only(collection):
            conditions.append(Query.term_query(self._schema, COLLECTION, collection))
        if among is not None:
            conditions.append(Query.term_set_query(self._schema, SEQ, among.tolist()))
        if not conditions and not others:
            return Query.boolean_query(any_of)
        return Query.boolean_query(
            [
                (Occur.Must, Query.boolean_query(any_of)),
                *((Occur.Should, query) for query in others),
                *((Occur.Must, Query.const_score_query(condition, 0.0)) for condition in conditions),
            ]
        )

    def _query(self, clause: Clause, weight: float) -> Query:
        """Return the query that scores the clause by `weight` in place of Tantivy's own."""
        own_weight = sum(bm25.lucene_weight(self.entries, self._frequency(stem)) for stem in clause.stems)
        if len(clause.stems) == 1:
            query = Query.term_query(self._schema, STEMS, clause.stems[0], index_option="position")
        else:
            query = Query.phrase_query(self._schema, STEMS, list(clause.stems))
        return Query.boost_query(query, weight / own_weight)

    def has_only(self, collection: str) -> bool:
        """Say whether all entries but marks, of which each commit leaves a removed one, are of the collection."""
        return self.documents(collection) == self.entries - self._frequency(MARK_STEM)

    def _has(self, clause: Clause) -> bool:
        return all(self._frequency(stem) for stem in clause.stems)

    def _frequency(self, stem: str) -> int:
        """Return how many versions have the stem, in any collection."""
        return int(self._searcher.doc_freq(STEMS, stem))

    def _count(self, clause: Clause, collection: str) -> int:
        rarest = min(map(self._frequency, clause.stems))
        if not rarest or (self.has_only(collection) and (len(clause.stems) == 1 or rarest > _MOST_COUNTED)):
            return rarest
        query = self._within([self._query(clause, 1.0)], (), collection, None)
        # Tantivy's stub does not tell of it.
        return int(self._searcher.search(query, 1, count=True).count)  # type: ignore[attr-defined]


def _marked(searcher: Searcher, fields: Schema) -> tuple[int, int, float]:
    """Return the mark of the index, and the number of entries and their mean length that Tantivy reckons with."""
    query = Query.term_query(fields, STEMS, MARK_STEM)
    hits = searcher.search(query, 1).hits
    if not hits:
        return 0, 0, 0.0
    address = hits[0][1]
    (mark,) = searcher.fast_field_values(MARK, [address])
    explained = _figures(json.loads(query.explain(searcher, address).to_json()))
    entries = next(value for what, value in explained.items() if what.startswith("N,"))
    mean_length = next(value for what, value in explained.items() if what.startswith("avgdl"))
    return int(mark or 0), int(entries), mean_length


def _figures(explanation: Mapping[str, Any]) -> dict[str, float]:
    """Return all figures of an explanation by their descriptions."""
    figures = {explanation["description"]: explanation["value"]}
    for detail in explanation.get("details") or ():
        figures |= _figures(detail)
    return figures
