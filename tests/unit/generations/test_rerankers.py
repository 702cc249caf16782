"""What becomes active while a rollback loads the former reranker is not lost, and a start does without one."""

import asyncio
from typing import Any

import pytest

from service.cluster.alone import Alone, NoReplicas
from service.corpus.memory.store import MemoryStore
from service.errors import CheckpointRefused, Conflict
from service.generations.rerankers import Rerankers
from service.machine.writer import WritingThread
from service.observability.observer import Unobserved
from tests.support.hashed import HashedModel


class Loader:
    """Loads a model without weights, and first does what a test has planned for that time."""

    def __init__(self) -> None:
        self.meanwhile: Any = None

    def load(self, identity: str) -> Any:
        if self.meanwhile is not None:
            self.meanwhile()
        return HashedModel(identity.partition("@")[0])


def test_a_rollback_gives_way_to_a_reranker_that_became_active_in_the_time_of_loading() -> None:
    async def run() -> None:
        loop, corpus, thread, loader = asyncio.get_running_loop(), MemoryStore(10), WritingThread(), Loader()
        untyped: Any = loader
        rerankers = Rerankers(corpus.records, thread, untyped, {}, Unobserved(), Alone(), NoReplicas())

        async def activate(name: str) -> str:
            model: Any = HashedModel(name)
            return (await rerankers.activate(model, by_default=False, by=None)).model

        lark, wren = await activate("lark"), await activate("wren")

        def another() -> None:
            asyncio.run_coroutine_threadsafe(activate("finch"), loop).result(10)

        loader.meanwhile = another
        with pytest.raises(Conflict, match="roll back again"):
            await rerankers.rollback(None)
        assert rerankers.acquire().model.startswith("finch@")
        loader.meanwhile = None
        for former in (wren, lark):
            await rerankers.rollback(None)
            assert rerankers.acquire().model == former
        await asyncio.to_thread(thread.close)

    asyncio.run(run())


@pytest.mark.parametrize(
    "error", [CheckpointRefused("it was altered"), MemoryError("there is no memory"), OSError("it cannot be read")]
)
def test_a_start_leaves_out_a_reranker_that_cannot_be_loaded(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        corpus, thread, loader = MemoryStore(10), WritingThread(), Loader()
        model: Any = HashedModel("lark")
        parts: Any = (corpus.records, thread, loader, {}, Unobserved(), Alone(), NoReplicas())
        await Rerankers(*parts).activate(model, by_default=False, by=None)

        def fail() -> None:
            raise error

        loader.meanwhile = fail
        started = Rerankers(*parts)
        await started.restore()
        assert started.active is None
        assert f"nothing is reranked: {error}" in caplog.text
        loader.meanwhile = None
        again = Rerankers(*parts)
        await again.restore()
        assert again.acquire().model == model.checkpoint.id
        await asyncio.to_thread(thread.close)

    asyncio.run(run())
