"""The documents that each generation finds for a question, by vector and by keyword."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

from service.corpus.base import Documents
from service.generations.generation import Generation
from service.generations.loaded import LoadedGenerations
from service.learning.queue.overlap import rank_biased_overlap
from service.machine.arrays import Vectors
from service.machine.priority import at_lowest_priority
from service.machine.threads import run_to_completion
from service.models.encoding import Encoding
from service.search.fusion import Scored
from service.search.retrieval import Retrieval, SearchSpec

# Documents of each ranking by which rankings are compared.
COMPARED = 10
# Questions whose rankings are kept.
_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Rankings:
    """Ids of the documents that a question finds, best first, by the number of the generation, the active one first.

    A generation without the words of the question has an empty ranking by keyword.
    """

    dense: Mapping[int, Sequence[str]]
    keyword: Mapping[int, Sequence[str]]

    def pool(self, depth: int) -> set[str]:
        """The first `depth` documents of every ranking (Voorhees 2018)."""
        return {document for ranking in self._all() for document in ranking[:depth]}

    def agreement_of_generations(self) -> float | None:
        """The overlap of the active generation with the one that differs most from it; None if it is alone."""
        active, *others = (ranking[:COMPARED] for ranking in self.dense.values())
        return min((rank_biased_overlap(active, other) for other in others), default=None)

    def agreement_of_modes(self) -> float | None:
        """The overlap of the active generation by vector and by keyword; None if it has none of the words."""
        dense, keyword = (next(iter(rankings.values()))[:COMPARED] for rankings in (self.dense, self.keyword))
        return rank_biased_overlap(dense, keyword) if keyword else None

    def _all(self) -> list[Sequence[str]]:
        return [*self.dense.values(), *self.keyword.values()]


class RankingSource:
    """Ranks questions with the generations that are there: active, retained, and in the shadow.

    Rankings are kept until documents or generations change, because a person who judges asks for the next questions
    every minute. They are kept by a hash of the question: no text of a user outlives its search log here.
    """

    def __init__(
        self, generations: LoadedGenerations, retrieval: Retrieval, documents: Documents, encoding: Encoding
    ) -> None:
        self._generations = generations
        self._retrieval = retrieval
        self._documents = documents
        self._encoding = encoding
        self._moment: tuple[object, ...] = ()
        self._kept: dict[bytes, Rankings] = {}

    def generations(self) -> list[Generation]:
        """The generations to rank with, the active one first. Raises NotReady before there is one."""
        return [generation for generation, _ in self._generations.searchable()]

    async def rank(
        self, generations: Sequence[Generation], collection: str, queries: Sequence[str], depth: int
    ) -> list[Rankings]:
        """Rank the first `depth` documents of the collection for each query.

        The queries wait in the bulk lane, and are searched at the lowest priority, so that users go first.
        Raises Overloaded if too much waits already.
        """
        moment = await asyncio.to_thread(self._moment_of, generations)
        if moment != self._moment or len(self._kept) > _KEPT:
            self._moment, self._kept = moment, {}
        # Another moment may have begun when the rankings are there.
        kept = self._kept
        keys = [sha256(f"{collection}\0{depth}\0{query}".encode()).digest() for query in queries]
        new = {key: query for key, query in zip(keys, queries, strict=True) if key not in kept}
        if new:
            rankings = await self._ranked_now(generations, collection, list(new.values()), depth)
            kept.update(zip(new, rankings, strict=True))
        return [kept[key] for key in keys]

    def _moment_of(self, generations: Sequence[Generation]) -> tuple[object, ...]:
        """Return what changes with every change of a ranking."""
        # A generation that was withdrawn from the shadow leaves its number to the next one.
        indexes = [(one.number, one.index.fingerprint, one.index.stats().documents) for one in generations]
        return (self._documents.last_seq(), *indexes)

    async def _ranked_now(
        self, generations: Sequence[Generation], collection: str, queries: Sequence[str], depth: int
    ) -> list[Rankings]:
        vectors = [
            await self._encoding.embed(generation.encoder, queries, "query", "bulk") for generation in generations
        ]
        ranking = partial(self._ranked, generations, vectors, collection, queries, depth)
        return await run_to_completion(partial(at_lowest_priority, ranking))

    def _ranked(
        self,
        generations: Sequence[Generation],
        vectors: Sequence[Vectors],
        collection: str,
        queries: Sequence[str],
        depth: int,
    ) -> list[Rankings]:
        spec = SearchSpec(k=depth, collection=collection, mode="hybrid")
        words = self._retrieval.keyword_parts(generations[0].index, queries, spec)
        dense: list[dict[int, Scored]] = [{} for _ in queries]
        keyword: list[dict[int, Scored]] = [{} for _ in queries]
        for generation, of_queries in zip(generations, vectors, strict=True):
            rankings = self._retrieval.rank(generation.index, queries, of_queries, spec, words)
            for row, ranking in enumerate(rankings):
                dense[row][generation.number] = ranking.parts["dense"][:depth]
                keyword[row][generation.number] = ranking.parts["keyword"][:depth]
        ids = self._ids(scored for of_query in (*dense, *keyword) for scored in of_query.values())
        return [
            Rankings(_named(by_vector, ids), _named(by_word, ids))
            for by_vector, by_word in zip(dense, keyword, strict=True)
        ]

    def _ids(self, rankings: Iterable[Scored]) -> dict[int, str]:
        seqs = {seq for scored in rankings for seq, _ in scored}
        return {seq: document.id for seq, document in self._documents.fetch(list(seqs)).items()}


def _named(rankings: Mapping[int, Scored], ids: Mapping[int, str]) -> dict[int, list[str]]:
    return {number: [ids[seq] for seq, _ in scored if seq in ids] for number, scored in rankings.items()}
