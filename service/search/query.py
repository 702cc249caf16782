"""Runs queries through one generation: encode, rank, fetch."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from service.corpus.base import Document, Documents, Span
from service.corpus.refusals import require_collection
from service.generations.generation import Generation
from service.index.keywords.base import Keywords
from service.machine.arrays import Vectors
from service.models.encoding import Encoding
from service.observability.tracing import Tracing
from service.search.balance import weighed
from service.search.facets import Counts, FacetSpec
from service.search.fusion import Scored
from service.search.observer import SearchObserver
from service.search.passages import Passages
from service.search.retrieval import Component, Ranking, Retrieval, SearchSpec
from service.search.standings import Standing


@dataclass(frozen=True, slots=True)
class Details:
    """Details that a search tells.

    Each result can have the spans of the query's words, its ranks in the parts of the search, and, with `neighbours`,
    the best passage with so many windows around it in place of the whole text. The search as a whole can have the
    standing of the documents with the ids `rank_of`, and counts of values, as `facets` says.
    """

    highlight: bool = False
    explain: bool = False
    neighbours: int | None = None
    rank_of: Sequence[str] = ()
    facets: FacetSpec | None = None


NO_DETAILS = Details()


@dataclass(frozen=True, slots=True)
class Hit:
    """A document and its score in the mode of the search.

    `passage` is the part [start, end) of its text that is nearest to the query, in characters; None: it is one window.
    `text` is the whole text, or the passages that were asked for in its place.

    `ranks` has its rank, from 1, and its score in each part of the search that found it. `spans` has the [start, end)
    of the query's words in `text`, in characters. Both are empty unless they were asked for. `searchable` is the part
    of the document's text that has vectors; None: all of it has.
    """

    score: float
    document: Document
    text: str
    passage: Span | None
    ranks: Mapping[Component, tuple[int, float]]
    spans: Sequence[Span]
    searchable: Span | None = None
    # Its rank and score in the search that a reranker has ordered, and by the reranker; None: there was no reranker.
    first: tuple[int, float] | None = None
    rerank: tuple[int, float] | None = None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The hits of each query, best first, and the seconds that each step took, waiting included.

    `standings` has the standings that were asked for, for each query by the document's id. Ids that the collection does
    not have are left out. `facets` has the counts that were asked for, for each query.
    """

    hits: list[list[Hit]]
    seconds: dict[str, float]
    standings: Sequence[Mapping[str, Standing]]
    facets: Sequence[Counts]


class Search:
    """Finds documents. A search takes its encoder and its index from one generation."""

    def __init__(
        self,
        documents: Documents,
        keywords: Keywords,
        retrieval: Retrieval,
        encoding: Encoding,
        observers: Sequence[SearchObserver],
        tracing: Tracing,
    ) -> None:
        self._documents = documents
        self._keywords = keywords
        self._retrieval = retrieval
        self._encoding = encoding
        self._observers = observers
        self._tracing = tracing

    async def run(
        self,
        generation: Generation,
        queries: Sequence[str],
        spec: SearchSpec,
        *,
        vectors: Vectors | None = None,
        details: Details = NO_DETAILS,
    ) -> SearchResult:
        """Answer each query as `spec` says.

        Pass `vectors` (n, dimensions) from this generation's encoder to skip encoding. Raises NotFound for an unknown
        collection.
        """
        collection = spec.collection
        if not generation.index.has(collection):
            await asyncio.to_thread(require_collection, self._documents, collection)
        vectors_sent = vectors is not None
        began = time.perf_counter()
        if vectors is None and spec.mode != "keyword":
            vectors = await self._encoding.embed(generation.encoder, queries, "query")
        encoded = time.perf_counter()

        seqs: dict[str, int] = {}

        def find() -> tuple[list[list[Hit]], list[Ranking], float]:
            start = time.perf_counter()
            with self._tracing.span("search", {"instar.generation": generation.number, "instar.mode": spec.mode}):
                if details.rank_of:
                    seqs.update(self._documents.seqs_of(collection, details.rank_of))
                standing_of = tuple(seqs.values())
                ranked_by = replace(weighed(spec, generation), standing_of=standing_of, facets=details.facets)
                rankings = self._retrieval.rank(generation.index, queries, vectors, ranked_by)
            searching = time.perf_counter() - start
            with self._tracing.span("fetch", {"instar.documents": sum(len(ranking.scored) for ranking in rankings)}):
                return self._fetched(collection, queries, rankings, details), rankings, searching

        hits, rankings, searching = await asyncio.to_thread(find)
        fetching = time.perf_counter() - encoded - searching
        if not vectors_sent:
            scored = [ranking.scored for ranking in rankings]
            for observer in self._observers:
                observer.searched(generation, queries, spec, scored, encoded - began + searching)
        standings = [{identity: ranking.standings[seq] for identity, seq in seqs.items()} for ranking in rankings]
        seconds = {"encode": encoded - began, "search": searching, "fetch": fetching}
        return SearchResult(hits, seconds, standings, [ranking.facets for ranking in rankings])

    def _fetched(
        self, collection: str, queries: Sequence[str], rankings: Sequence[Ranking], details: Details
    ) -> list[list[Hit]]:
        documents = self._documents.fetch(list({seq for ranking in rankings for seq, _ in ranking.scored}))
        return [
            self._hits(collection, query, ranking, documents, details)
            for query, ranking in zip(queries, rankings, strict=True)
        ]

    def _hits(
        self, collection: str, query: str, ranking: Ranking, documents: Mapping[int, Document], details: Details
    ) -> list[Hit]:
        scored = [(seq, score) for seq, score in ranking.scored if seq in documents]
        passages = {
            seq: _passage(each, self._nearest(query, documents[seq].text, each), details.neighbours or 0)
            for seq, _ in scored
            if (each := ranking.passages.get(seq)) is not None
        }
        texts = [documents[seq].text for seq, _ in scored]
        if details.neighbours is not None:
            texts = [text[slice(*passages.get(seq, (0, None)))] for (seq, _), text in zip(scored, texts, strict=True)]
        spans = self._keywords.highlights(query, texts, collection) if details.highlight else [[]] * len(texts)
        ranks = _ranks(ranking.parts) if details.explain else {}
        return [
            Hit(
                score,
                documents[seq],
                text,
                passages.get(seq),
                ranks.get(seq, {}),
                highlights,
                _searchable(ranking.passages.get(seq), documents[seq].text),
            )
            for (seq, score), text, highlights in zip(scored, texts, spans, strict=True)
        ]

    def _nearest(self, query: str, text: str, passages: Passages) -> int:
        """The window that is nearest to the query; without a vector the one with most of its words, repeated or not."""
        if passages.nearest is not None:
            return passages.nearest
        (words,) = self._keywords.highlights(query, [text])
        within = [
            len({text[first:last].casefold() for first, last in words if start <= first < end})
            for start, end in passages.spans.tolist()
        ]
        return within.index(max(within))


def _passage(passages: Passages, nearest: int, neighbours: int) -> Span:
    first, last = max(nearest - neighbours, 0), min(nearest + neighbours, len(passages.spans) - 1)
    return int(passages.spans[first, 0]), int(passages.spans[last, 1])


def _searchable(passages: Passages | None, text: str) -> Span | None:
    """Return the part of the text that the windows cover, unless only white space is left out."""
    if passages is None:
        return None
    start, end = int(passages.spans[0, 0]), int(passages.spans[-1, 1])
    return (start, end) if text[:start].strip() or text[end:].strip() else None


def _ranks(parts: Mapping[Component, Scored]) -> dict[int, dict[Component, tuple[int, float]]]:
    ranks: dict[int, dict[Component, tuple[int, float]]] = {}
    for name, scored in parts.items():
        for rank, (seq, score) in enumerate(scored, 1):
            ranks.setdefault(seq, {})[name] = (rank, score)
    return ranks
