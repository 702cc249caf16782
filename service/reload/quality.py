"""How well generations answer the judged queries: measured when somebody wants to know, and kept until it changes.

The searches have the lowest priority. What they have found is kept as long as the documents and the generation stay, so
a judgement costs the searches for queries that are new alone.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from service.corpus.base import CorpusStore
from service.corpus.judgements import Side
from service.generations.generation import Generation
from service.machine.arrays import Vectors
from service.machine.priority import at_lowest_priority
from service.machine.threads import run_to_completion
from service.models.encoding import Encoding
from service.reload.comparison import K, seqs_in
from service.reload.judged_queries import JudgedQueries, JudgedQuery, portions
from service.reload.outcomes import Outcome, Summary, outcome_of, summary_of, worst_first
from service.reload.quality_history import QualityHistory
from service.search.balance import weighed
from service.search.retrieval import Mode, Retrieval, SearchSpec

_UNJUDGED = (
    "there are no judgements of this side yet: POST /admin/judgements says which documents answer which queries, and"
    " models are measured by them"
)
# Queries that are encoded and searched at a time.
_PORTION = 64
# Measurements that are kept, of several generations, modes and sides.
_MOST = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """A wish to measure: searches of a generation in a mode, for the judged queries of a side."""

    generation: Generation
    mode: Mode
    side: Side


@dataclass(frozen=True, slots=True)
class Measurement:
    """The outcomes, the worst first, and their figures, of all and by collection.

    Without a judged query there are none, and `obstacle` says why.
    """

    at: datetime
    outcomes: Sequence[Outcome]
    total: Summary | None
    by_collection: Mapping[str, Summary]
    obstacle: str | None


@dataclass(frozen=True, slots=True)
class Progress:
    """The latest measurement, if there is one, and how far a new one is; None: there is nothing new to measure.

    `done` of `total` queries are searched; 0 of 0 before their number is known.
    """

    measurement: Measurement | None
    renewing: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class _Documents:
    """The things that decide rankings: the generation's weights, the last write, and the number of documents."""

    weights: object
    last_seq: int
    count: int


@dataclass(frozen=True, slots=True)
class _Moment:
    """The things that decide a measurement."""

    documents: _Documents
    judgements: int


@dataclass
class _Entry:
    """A measurement, the rankings that it is made of, and the task that renews it."""

    rankings: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    ranked: _Documents | None = None
    measurement: Measurement | None = None
    moment: _Moment | None = None
    task: "asyncio.Task[None] | None" = None
    done: int = 0
    total: int = 0


class Quality:
    """Measures generations, one at a time."""

    def __init__(self, corpus: CorpusStore, retrieval: Retrieval, encoding: Encoding, history: QualityHistory) -> None:
        self._corpus = corpus
        self._judged: dict[Side, JudgedQueries] = {
            "judge": JudgedQueries(corpus.judgements, corpus.documents),
            "train": JudgedQueries(corpus.judgements, corpus.documents, "train"),
        }
        self._retrieval = retrieval
        self._encoding = encoding
        self._history = history
        self._turn = asyncio.Lock()
        self._entries: OrderedDict[tuple[int, str, Mode, Side], _Entry] = OrderedDict()

    async def of(self, wanted: Wanted, patience: float) -> Progress:
        """Return the latest measurement, and begin a new one if anything has changed, for `patience` seconds at most.

        A measurement from before a judgement changed is not returned: its query may be a text of somebody who wants to
        be forgotten. Raises EncoderFailed or StorageFailed if the searches do.
        """
        entry = self._entry_of(wanted)
        loop = asyncio.get_running_loop()
        end = loop.time() + patience
        now = await asyncio.to_thread(self._moment, wanted.generation)
        # A judgement or a document may come while it measures: the caller has the patience to wait for those, too.
        while entry.moment != now:
            if entry.task is None:
                entry.task = asyncio.create_task(self._measure(entry, wanted), name="instar-quality")
            task = entry.task
            await asyncio.wait([task], timeout=max(0.0, end - loop.time()))
            if task.done():
                if entry.task is task:
                    entry.task = None
                task.result()
            now = await asyncio.to_thread(self._moment, wanted.generation)
            if loop.time() >= end:
                break
        is_shown = entry.moment is not None and entry.moment.judgements == now.judgements
        measurement = entry.measurement if is_shown else None
        return Progress(measurement, None if entry.moment == now else (entry.done, entry.total))

    async def stop(self) -> None:
        """Give up what is being measured."""
        tasks = [entry.task for entry in self._entries.values() if entry.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _entry_of(self, wanted: Wanted) -> _Entry:
        generation = wanted.generation
        key = (generation.number, generation.model, wanted.mode, wanted.side)
        entry = self._entries.setdefault(key, _Entry())
        self._entries.move_to_end(key)
        idle = [other for other, one in self._entries.items() if one.task is None and other != key]
        for other in idle[: max(0, len(self._entries) - _MOST)]:
            del self._entries[other]
        return entry

    def _moment(self, generation: Generation) -> _Moment:
        # A write raises the last number, and a delete alone lowers the count.
        documents = _Documents(
            dict(generation.record.weights), self._corpus.documents.last_seq(), generation.index.stats().documents
        )
        return _Moment(documents, self._corpus.judgements.revision())

    async def _measure(self, entry: _Entry, wanted: Wanted) -> None:
        generation, judged = wanted.generation, self._judged[wanted.side]
        async with self._turn:
            moment = await asyncio.to_thread(self._moment, generation)
            queries = await run_to_completion(partial(at_lowest_priority, partial(judged.of, generation)))
            if entry.ranked != moment.documents:
                entry.rankings, entry.ranked = {}, moment.documents
            await self._rank(entry, wanted, queries)
            measuring = partial(_measured, queries, entry.rankings)
            outcomes, total, by_collection = await run_to_completion(partial(at_lowest_priority, measuring))
            obstacle = None
            if total is None:
                reason = await asyncio.to_thread(judged.obstacle)
                obstacle = _UNJUDGED if reason is None else f"{reason.reason}: {reason.remedy}"
            at = datetime.now(UTC)
            try:
                # Whoever sees the figures finds their point in the history.
                if total is not None and wanted.side == "judge":
                    await self._history.note(generation, wanted.mode, at, total)
            finally:
                entry.measurement = Measurement(at, outcomes, total, by_collection, obstacle)
                entry.moment = moment

    async def _rank(self, entry: _Entry, wanted: Wanted, queries: Sequence[JudgedQuery]) -> None:
        """Search for the queries that were not searched for yet."""
        missing = [query for query in queries if (query.collection, query.text) not in entry.rankings]
        entry.done, entry.total = len(queries) - len(missing), len(queries)
        encoder = wanted.generation.encoder
        for portion in portions(missing, _PORTION):
            vectors = None
            if wanted.mode != "keyword":
                texts = [query.text for query in portion]
                vectors = await self._encoding.embed(encoder, texts, "query", "bulk", patient=True)
            ranking = partial(self._ranked, wanted, portion, vectors)
            ranked = await run_to_completion(partial(at_lowest_priority, ranking))
            entry.rankings |= {
                (query.collection, query.text): seqs for query, seqs in zip(portion, ranked, strict=True)
            }
            entry.done += len(portion)

    def _ranked(self, wanted: Wanted, queries: Sequence[JudgedQuery], vectors: Vectors | None) -> list[list[int]]:
        """Return the first documents for queries of one collection, by sequence number, as a search of users does."""
        spec = weighed(SearchSpec(k=K, collection=queries[0].collection, mode=wanted.mode), wanted.generation)
        texts, (moment,) = [query.text for query in queries], queries[0].moments
        return [seqs_in(ranking) for ranking in self._retrieval.rank(moment, texts, vectors, spec)]


def _measured(
    queries: Sequence[JudgedQuery], rankings: Mapping[tuple[str, str], Sequence[int]]
) -> tuple[list[Outcome], Summary | None, dict[str, Summary]]:
    """Return the outcomes, the worst first, and their figures of all and by collection."""
    if not queries:
        return [], None, {}
    outcomes = [outcome_of(query, rankings[query.collection, query.text]) for query in queries]
    total = summary_of(queries, outcomes)
    by_collection: dict[str, list[int]] = {}
    for index, query in enumerate(queries):
        by_collection.setdefault(query.collection, []).append(index)
    if len(by_collection) == 1:
        return worst_first(outcomes), total, dict.fromkeys(by_collection, total)
    summaries = {
        name: summary_of([queries[index] for index in indices], [outcomes[index] for index in indices])
        for name, indices in by_collection.items()
    }
    return worst_first(outcomes), total, summaries
