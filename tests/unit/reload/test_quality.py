"""Measuring generations on judged queries, with rankings that are made up: what is searched again, kept and shown."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from service.corpus.base import Document, GenerationRecord
from service.corpus.judgements import Judgement
from service.corpus.memory.store import MemoryStore
from service.errors import EncoderFailed, StorageFailed
from service.generations.generation import Generation
from service.machine.writer import WritingThread
from service.models.encoding import Encoding
from service.reload.job import Job
from service.reload.judged import Judged, Scores
from service.reload.judged_queries import JudgedQuery
from service.reload.outcomes import Summary, outcome_of, summary_of, worst_first
from service.reload.quality import Measurement, Progress, Quality, Wanted
from service.reload.quality_history import QualityHistory
from service.search.retrieval import Ranking, Retrieval, SearchSpec

PATIENCE = 10.0


def judged(text: str, good: Sequence[int], bad: Sequence[int] = (), collection: str = "default") -> JudgedQuery:
    return JudgedQuery(text, collection, np.array(good, np.int64), np.array(bad, np.int64), ())


class House:
    """A quality on a store in memory, whose searches find what is set, and note what was searched for."""

    def __init__(self) -> None:
        self.corpus = MemoryStore(10_000)
        self.put("default", a="text a", b="text b", c="text c")
        self.searched: list[str] = []
        self.failure: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.embedding = asyncio.Event()
        self.jobs: list[Job] = []
        self.thread = WritingThread()
        self.history = QualityHistory(self.corpus.records, self, self.thread)
        self.quality = Quality(
            self.corpus, cast(Retrieval, self), cast(Encoding, SimpleNamespace(embed=self._embed)), self.history
        )

    def put(self, collection: str, **texts: str) -> None:
        documents = [Document(name, text, {}) for name, text in texts.items()]
        self.corpus.documents.put(collection, documents, lambda _: None)

    def judge(self, query: str, document: str, good: bool = True, collection: str = "default") -> None:
        said = Judgement(query=query, document=document, good=good, collection=collection, side="judge")
        self.corpus.judgements.add([said])

    def latest(self, limit: int) -> Sequence[Job]:
        return self.jobs[:limit]

    def generation(self, number: int = 1) -> Generation:
        record = GenerationRecord(number=number, model="m@1", fingerprint="f", dimensions=2, built=datetime.now(UTC))
        view = SimpleNamespace(holds=lambda seqs, _: np.ones(len(seqs), bool))
        count = lambda: SimpleNamespace(documents=sum(self.corpus.documents.collections().values()))  # noqa: E731
        encoder = SimpleNamespace(checkpoint=SimpleNamespace(id=f"m@{number}"))
        return Generation(record, cast(Any, encoder), cast(Any, SimpleNamespace(view=lambda _: view, stats=count)))

    def rank(self, _: object, queries: Sequence[str], __: object, spec: SearchSpec) -> list[Ranking]:
        seqs = self.corpus.documents.live_in(spec.collection).tolist()
        self.searched += queries
        return [Ranking([(seq, 1.0) for seq in seqs], {}) for _ in queries]

    async def measure(self, patience: float = PATIENCE, number: int = 1) -> Progress:
        return await self.quality.of(Wanted(self.generation(number), "dense", "judge"), patience)

    async def figures(self) -> Measurement:
        progress = await self.measure()
        assert progress.renewing is None
        assert progress.measurement is not None
        return progress.measurement

    async def _embed(self, _: object, texts: Sequence[str], *__: Any, **___: Any) -> Any:
        self.embedding.set()
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return np.zeros((len(texts), 2), np.float32)


def in_a_house(test: Callable[[House], Awaitable[None]]) -> Callable[[], None]:
    """Run a test in a house of its own, on an event loop."""

    async def lived() -> None:
        house = House()
        try:
            await test(house)
        finally:
            await house.quality.stop()
            house.thread.close()

    def run() -> None:
        asyncio.run(lived())

    return run


def test_an_outcome_counts_the_judged_documents_that_are_shown() -> None:
    outcome = outcome_of(judged("q", [3, 7, 99], [5]), [1, 5, 7, 2])
    assert (outcome.good, outcome.good_shown, outcome.first_good) == (3, 1, 3)
    assert (outcome.judged, outcome.shown) == (2, 4)
    assert outcome.recall == pytest.approx(1 / 3)
    nothing = outcome_of(judged("q", [3]), [])
    assert (nothing.ndcg, nothing.first_good, nothing.judged, nothing.shown) == (0, None, 0, 0)


def test_no_more_than_ten_documents_count() -> None:
    outcome = outcome_of(judged("q", [11]), list(range(1, 20)))
    assert (outcome.ndcg, outcome.recall, outcome.first_good, outcome.shown) == (0, 0, None, 10)


def test_the_worst_query_comes_first_and_of_equal_ones_that_with_more_good_documents() -> None:
    fine, one, two = judged("fine", [1]), judged("one", [8]), judged("two", [8, 9])
    order = worst_first([outcome_of(query, [1, 2]) for query in (fine, one, two)])
    assert [outcome.query for outcome in order] == ["two", "one", "fine"]


def test_a_summary_has_intervals_around_its_means() -> None:
    queries = [judged(f"q{n}", [n]) for n in range(40)]
    outcomes = [outcome_of(query, [n] if n % 2 else [1000]) for n, query in enumerate(queries)]
    summary = summary_of(queries, outcomes)
    assert (summary.queries, summary.ndcg, summary.recall, summary.coverage) == (40, 0.5, 0.5, 0.5)
    for interval in (summary.ndcg_interval, summary.recall_interval):
        assert interval is not None
        assert 0.25 < interval[0] < 0.5 < interval[1] < 0.75
    assert summary_of(queries[:1], [outcome_of(queries[0], [])]).coverage is None


@in_a_house
async def test_without_judgements_it_says_what_to_do(house: House) -> None:
    measurement = await house.figures()
    assert (measurement.total, list(measurement.outcomes), measurement.by_collection) == (None, [], {})
    assert "POST /admin/judgements" in str(measurement.obstacle)
    house.judge("q", "gone")
    assert "none of the judgements (1)" in str((await house.figures()).obstacle)
    assert house.searched == []


@in_a_house
async def test_a_measurement_is_kept_until_something_changes(house: House) -> None:
    house.judge("q", "b")
    first = await house.figures()
    assert [outcome.first_good for outcome in first.outcomes] == [2]
    assert await house.figures() is first
    assert house.searched == ["q"]
    house.put("default", d="text d")
    assert (await house.figures()) is not first
    assert house.searched == ["q", "q"]
    house.corpus.documents.delete("default", ["a"], lambda _: None)
    assert [outcome.first_good for outcome in (await house.figures()).outcomes] == [1]
    assert house.searched == ["q", "q", "q"]


@in_a_house
async def test_a_judgement_costs_the_searches_of_new_queries_alone(house: House) -> None:
    house.judge("q", "b")
    await house.figures()
    house.judge("q", "a", good=False)
    (outcome,) = (await house.figures()).outcomes
    assert outcome.judged == 2
    assert house.searched == ["q"]
    house.judge("new", "c")
    assert len((await house.figures()).outcomes) == 2
    assert house.searched == ["q", "new"]


@in_a_house
async def test_collections_have_their_own_figures(house: House) -> None:
    house.put("other", x="text x")
    house.judge("q", "c")
    house.judge("q", "x", collection="other")
    measurement = await house.figures()
    assert {name: summary.ndcg for name, summary in measurement.by_collection.items()} == {"default": 0.5, "other": 1.0}
    assert measurement.total is not None
    assert measurement.total.ndcg == 0.75


@in_a_house
async def test_whoever_has_no_time_learns_how_far_it_is(house: House) -> None:
    house.judge("q", "b")
    house.gate.clear()
    waiting = asyncio.create_task(house.measure())
    await house.embedding.wait()
    progress = await house.measure(0.05)
    assert (progress.measurement, progress.renewing) == (None, (0, 1))
    house.gate.set()
    assert (await waiting).measurement is not None
    assert house.searched == ["q"]


@in_a_house
async def test_whoever_has_time_gets_the_figures_of_what_came_while_it_measured(house: House) -> None:
    house.judge("q", "b")
    house.gate.clear()
    waiting = asyncio.create_task(house.measure())
    await house.embedding.wait()
    house.judge("new", "c")
    house.gate.set()
    progress = await waiting
    assert progress.renewing is None
    assert progress.measurement is not None
    assert sorted(outcome.query for outcome in progress.measurement.outcomes) == ["new", "q"]


@in_a_house
async def test_a_measurement_of_other_documents_is_shown_while_it_is_renewed(house: House) -> None:
    house.judge("q", "b")
    first = await house.figures()
    house.put("default", d="text d")
    house.gate.clear()
    progress = await house.measure(0.05)
    assert progress.measurement is first
    assert progress.renewing is not None


@in_a_house
async def test_a_query_whose_judgements_are_gone_is_shown_no_more(house: House) -> None:
    house.judge("secret", "b")
    house.judge("q", "b")
    await house.figures()
    house.gate.clear()
    key = next(one.key for one in house.corpus.judgements.all() if one.query == "secret")
    house.corpus.judgements.discard([key])
    house.put("default", d="text d")
    progress = await house.measure(0.05)
    assert progress.measurement is None
    house.gate.set()
    assert [outcome.query for outcome in (await house.figures()).outcomes] == ["q"]


@in_a_house
async def test_a_failure_is_raised_once_and_tried_again(house: House) -> None:
    house.judge("q", "b")
    house.failure = EncoderFailed("the encoder fails")
    with pytest.raises(EncoderFailed):
        await house.measure()
    house.failure = None
    assert (await house.figures()).total is not None


@in_a_house
async def test_few_measurements_are_kept(house: House) -> None:
    house.judge("q", "b")
    for number in range(1, 20):
        await house.measure(number=number)
    assert len(house.quality._entries) == 8
    await house.measure(number=19)
    assert len(house.searched) == 19
    await house.measure(number=1)
    assert len(house.searched) == 20


@in_a_house
async def test_the_history_keeps_one_point_a_day_and_outlives_the_process(house: House) -> None:
    house.judge("q", "b")
    await house.figures()
    house.judge("q", "a")
    await house.figures()
    again = QualityHistory(house.corpus.records, house, house.thread)
    (point,) = again.points()
    assert (point.generation, point.model, point.source, point.mode) == (1, "m@1", "measured", "dense")
    assert point.figures.ndcg == 1
    earlier = datetime.now(UTC) - timedelta(days=2)
    await again.note(house.generation(), "dense", earlier, Summary(queries=1, ndcg=0.5, recall=0.5))
    assert [one.at for one in again.points()] == [earlier, point.at]


@in_a_house
async def test_figures_that_are_seen_have_their_point_in_the_history(house: House) -> None:
    house.judge("q", "b")
    note, written = house.history.note, asyncio.Event()

    async def slow(*arguments: Any) -> None:
        await written.wait()
        await note(*arguments)

    setattr(house.history, "note", slow)  # noqa: B010 (a method is no variable to mypy)
    assert (await house.measure(0.05)).measurement is None
    written.set()
    assert (await house.figures()).total is not None
    assert len(house.history.points()) == 1


@in_a_house
async def test_figures_are_shown_though_their_point_cannot_be_written(house: House) -> None:
    house.judge("q", "b")

    async def full(*_: Any) -> None:
        raise StorageFailed("the disk is full")

    setattr(house.history, "note", full)  # noqa: B010 (a method is no variable to mypy)
    with pytest.raises(StorageFailed):
        await house.measure()
    assert (await house.figures()).total is not None


@in_a_house
async def test_reloads_are_points_of_the_history_if_they_have_activated_what_they_measured(house: House) -> None:
    scores = Scores(ndcg=0.7, recall=0.8, good_above_bad=None, unjudged=4.0, ndcg_interval=(0.6, 0.8))
    outcome = Judged(queries=12, active=scores, building=scores)
    done = Job(model="m", checkpoint="m@2", generation=2, state="done", judged=outcome)
    refused = Job(model="m", checkpoint="m@3", state="refused", judged=outcome)
    unjudged = Job(model="m", checkpoint="m@4", generation=4, state="done")
    reranker = Job(model="r", checkpoint="r@1", generation=2, state="done", judged=outcome, kind="reranker")
    house.jobs = [done, refused, unjudged, reranker]
    (point,) = house.history.points()
    assert (point.generation, point.source) == (2, "reload")
    assert (point.figures.ndcg_interval, point.figures.recall_interval) == ((0.6, 0.8), None)
    assert point.figures.coverage == pytest.approx(0.6)
