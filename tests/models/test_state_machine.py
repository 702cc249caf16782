"""The whole service below HTTP against a dictionary and exact search, through any order of what can happen to it."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

from service.corpus import filters
from service.corpus.base import Document
from service.errors import InvalidRequest, NotFound
from service.index.faiss import index, partition
from service.lifecycle import Lifecycle
from service.models.windowing import Splitter, Windowing, parts
from service.reload.job import Job
from service.search.query import Hit
from service.search.retrieval import SearchSpec
from service.settings import Settings
from service.settings.groups import Headroom, Windows
from service.wiring.build import build, new_metrics

_T = TypeVar("_T")
NAMES = ("one", "two")
COLLECTIONS = ("default", "other")
SHORT = [
    f"{first} {second}" for first in ("red", "green", "blue", "grey") for second in ("parcel", "ledger", "harbour")
]
# The tiny models read 64 tokens: these are two windows and more.
LONG = [" ".join([one] * 25 + [other] * 25) for one, other in zip(SHORT, SHORT[5:], strict=False)]
TEXTS = [*SHORT, *LONG[:4]]
WINDOWINGS = [Windowing(8, 64), Windowing(0, 64), Windowing(8, 2), Windowing(0, 1)]
QUERIES = ("green harbour", "a red one")

documents = st.lists(
    st.builds(
        Document,
        st.sampled_from([f"d{number}" for number in range(9)]),
        st.sampled_from(TEXTS),
        st.fixed_dictionaries({}, optional={"n": st.integers(0, 3)}),
    ),
    min_size=1,
    max_size=6,
)
collections = st.sampled_from(COLLECTIONS)
names = st.sampled_from(NAMES)


class Exact:
    """Vectors of all texts and windows by each checkpoint, made without the service."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vectors: dict[str, dict[str, Any]] = {}
        tokenizer = Tokenizer.from_file(str(folder / NAMES[0] / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        # tests/models/test_windowing.py holds it to what windows have to be.
        splitter = Splitter(tokenizer, tokenizer, 64, "")
        self.windows = {
            (text, windowing): parts(text, splitter.spans(text, windowing)) if windowing.most > 1 else [text]
            for text in TEXTS
            for windowing in WINDOWINGS
        }
        embedded = list({*QUERIES, *(window for windows in self.windows.values() for window in windows)})
        for name in NAMES:
            model = SentenceTransformer(str(folder / name), device="cpu")
            self.vectors[name] = dict(zip(embedded, model.encode(embedded, normalize_embeddings=True), strict=True))

    def scores(self, name: str, windowing: Windowing, query: str, texts: dict[str, str]) -> dict[str, float]:
        """The cosine of each document to the query, by its nearest window."""
        vectors = self.vectors[name]
        return {
            identity: max(float(vectors[window] @ vectors[query]) for window in self.windows[text, windowing])
            for identity, text in texts.items()
        }


class ServiceMachine(RuleBasedStateMachine):
    """Writes, deletes, searches, reloads, rolls back, keeps house, restarts and crashes."""

    exact: Exact

    @initialize(retain=st.integers(0, 1))
    def begin(self, retain: int) -> None:
        self.retain = retain
        self.loop = asyncio.new_event_loop()
        self.folders = Path(tempfile.mkdtemp(prefix="instar-model-"))
        self.data = self.folders / "0"
        self.known: dict[str, dict[str, Document]] = {collection: {} for collection in COLLECTIONS}
        self.active = "one"
        self.former: list[str] = []
        self.launches = 0
        self.windowing = WINDOWINGS[0]
        self.launch()

    def launch(self) -> None:
        self.threads = ThreadPoolExecutor()
        self.loop.set_default_executor(self.threads)
        self.parts = build(
            Settings(
                data_dir=self.data,
                checkpoints_dir=self.exact.folder,
                model="one",
                engine="torch",
                retain=self.retain,
                windows=Windows(overlap=self.windowing.overlap, most=self.windowing.most),
                headroom=Headroom(memory=0, disk=0),
            ),
            new_metrics(),
        )
        self.lifecycle = Lifecycle(self.parts)
        self.run(self.lifecycle.start())

    def run(self, step: Coroutine[Any, Any, _T]) -> _T:
        return self.loop.run_until_complete(step)

    @rule(collection=collections, batch=documents)
    def put(self, collection: str, batch: list[Document]) -> None:
        self.run(self.parts.writing.put(collection, batch))
        self.known[collection] |= {document.id: document for document in batch}

    @rule(collection=collections, ids=st.lists(st.sampled_from([f"d{number}" for number in range(9)]), max_size=5))
    def delete(self, collection: str, ids: list[str]) -> None:
        there = {identity for identity in ids if self.known[collection].pop(identity, None)}
        assert self.run(self.parts.writing.delete(collection, ids)) == len(there)

    @rule(collection=collections, least=st.integers(0, 3))
    def delete_matching(self, collection: str, least: int) -> None:
        gone = [key for key, document in self.known[collection].items() if document.metadata.get("n", -1) >= least]
        tree = filters.parse({"n": {"gte": least}})
        assert self.run(self.parts.writing.delete_matching(collection, tree)) == len(gone)
        for key in gone:
            del self.known[collection][key]

    @rule(collection=collections, query=st.sampled_from(QUERIES), k=st.integers(1, 4), least=st.integers(0, 3))
    def search_filtered(self, collection: str, query: str, k: int, least: int) -> None:
        passing = {
            key: document for key, document in self.known[collection].items() if document.metadata.get("n", -1) >= least
        }
        self.compare(collection, query, k, passing, {"n": {"gte": least}})

    @rule(name=names, collection=collections, batch=documents)
    def reload_under_writes(self, name: str, collection: str, batch: list[Document]) -> None:
        async def reload() -> Job:
            job = await self.parts.reloads.start(name)
            await self.write_on(collection, batch, lambda: not job.over)
            return job

        job = self.run(reload())
        assert job.state == "done", job
        self.activated(name)

    async def write_on(self, collection: str, batch: list[Document], going: Callable[[], bool]) -> None:
        """Delete and put each document in turn, all at once, as long as something else is going on."""

        async def write(document: Document) -> None:
            while going():
                self.known[collection].pop(document.id, None)
                await self.parts.writing.delete(collection, [document.id])
                if not going():
                    break
                self.known[collection][document.id] = document
                await self.parts.writing.put(collection, [document])

        await asyncio.gather(*map(write, {document.id: document for document in batch}.values()))

    @rule(name=names, waits=st.integers(0, 30))
    def cancel(self, name: str, waits: int) -> None:
        async def begin_and_cancel() -> Job:
            job = await self.parts.reloads.start(name)
            for _ in range(waits):
                await asyncio.sleep(0.001)
            return await self.parts.reloads.cancel(job.id)

        job = self.run(begin_and_cancel())
        assert job.state in ("done", "cancelled")
        if job.state == "done":
            self.activated(name)

    @rule()
    def rollback(self) -> None:
        if not self.former:
            with pytest.raises(InvalidRequest):
                self.parts.serving.generations.before()
            return
        self.run(self.parts.serving.activation.rollback(self.parts.serving.generations.retained[0]))
        self.activated(self.former[0])

    @rule(collection=collections, batch=documents)
    def keep_house_under_writes(self, collection: str, batch: list[Document]) -> None:
        async def keep_house() -> None:
            sealing = asyncio.create_task(self.parts.serving.builder.seal(self.parts.keywords))
            await self.write_on(collection, batch, lambda: not sealing.done())
            await sealing
            await self.parts.serving.housekeeping.purge()

        self.run(keep_house())

    @rule(lost=st.sampled_from(["nothing", "one file", "all files"]))
    def restart(self, lost: str) -> None:
        self.run(self.lifecycle.stop())
        stores = sorted((self.data / "vectors").glob("*.db"))
        for path in stores[: {"nothing": 0, "one file": 1, "all files": len(stores)}[lost]]:
            path.unlink()
        self.launch()

    @rule(windowing=st.sampled_from(WINDOWINGS))
    def restart_with_other_windows(self, windowing: Windowing) -> None:
        self.run(self.lifecycle.stop())
        self.windowing = windowing
        self.launch()

    @rule()
    def crash(self) -> None:
        """What lies on the disk at this moment is what the next process finds."""
        self.launches += 1
        copied = self.folders / str(self.launches)
        # A copy takes a while, and a crash does not: what a cancelled reload still does has to end before.
        self.threads.shutdown()
        shutil.copytree(self.data, copied)
        self.loop.set_default_executor(ThreadPoolExecutor())
        self.run(self.lifecycle.stop())
        self.data = copied
        self.launch()

    @invariant()
    def finds_exactly_what_is_there(self) -> None:
        if not hasattr(self, "lifecycle"):
            return
        assert self.parts.serving.generations.acquire().model.startswith(f"{self.active}@")
        assert [one.model.partition("@")[0] for one in self.parts.serving.generations.retained] == self.former
        for collection, known in self.known.items():
            listed = {
                version.document.id: version.document
                for version in self.parts.corpus.documents.page(collection, 0, 100)
            }
            assert listed == known
            for query in QUERIES:
                self.compare(collection, query, 100, known, None)

    def compare(
        self, collection: str, query: str, k: int, known: dict[str, Document], condition: dict[str, Any] | None
    ) -> None:
        spec = SearchSpec(k=k, collection=collection, tree=None if condition is None else filters.parse(condition))
        try:
            hits = self.search(query, spec)
        except NotFound:
            assert not self.known[collection]
            return
        scores = self.exact.scores(
            self.active, self.windowing, query, {key: document.text for key, document in known.items()}
        )
        assert len(hits) == min(k, len(known))
        for hit in hits:
            assert known[hit.document.id] == hit.document
            assert (hit.passage is None) == (hit.document.text in SHORT)
            assert hit.score == pytest.approx(scores[hit.document.id], abs=1e-5)
        best = sorted(scores.values(), reverse=True)[:k]
        np.testing.assert_allclose([hit.score for hit in hits], best, atol=1e-5)

        sharing = {key for key, document in known.items() if set(document.text.split()) & set(query.split())}
        worded = self.search(query, replace(spec, mode="keyword"))
        assert len(worded) == min(k, len(sharing))
        assert {hit.document.id for hit in worded} <= sharing
        assert all(known[hit.document.id] == hit.document for hit in worded)

    def search(self, query: str, spec: SearchSpec) -> list[Hit]:
        (hits,) = self.run(self.parts.search.run(self.parts.serving.generations.acquire(), [query], spec)).hits
        return hits

    def activated(self, name: str) -> None:
        if name != self.active:
            self.former = [self.active, *(other for other in self.former if other != name)][: self.retain]
            self.active = name

    def teardown(self) -> None:
        if hasattr(self, "lifecycle"):
            self.run(self.lifecycle.stop())
            self.run(self.loop.shutdown_default_executor())
            self.loop.close()
            shutil.rmtree(self.folders)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sealing after a handful of documents."""
    for module in (partition, index):
        monkeypatch.setattr(module, "SEAL_FROM", 4)


@pytest.mark.usefixtures("often")
def test_any_order_of_events_leaves_what_a_dictionary_says(tiny_checkpoints: Path, pytestconfig: pytest.Config) -> None:
    class Machine(ServiceMachine):
        exact = Exact(tiny_checkpoints)

    examples = pytestconfig.getoption("--model-examples")
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
