"""Rankings of a question are kept as long as nothing changes them."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from service.learning.queue.rankings import RankingSource


@dataclass
class Parts:
    """Everything that ranks, and what it was asked."""

    number: int = 1
    last: int = 7
    documents: int = 3
    embedded: list[list[str]] = field(default_factory=list)
    fingerprint: str = "a"
    encoder: str = "encoder"
    parts: Any = field(default_factory=lambda: {"dense": [(1, 0.5)], "keyword": []})

    @property
    def index(self) -> Any:
        return self

    def stats(self) -> Any:
        return self

    def last_seq(self) -> int:
        return self.last

    def fetch(self, *_: Any) -> Any:
        return {}

    async def embed(self, _: Any, queries: list[str], *__: Any) -> Any:
        self.embedded.append(queries)
        return np.zeros((len(queries), 2), np.float32)

    def keyword_parts(self, _: Any, queries: list[str], *__: Any) -> Any:
        return [([], 0.0)] * len(queries)

    def rank(self, _: Any, queries: list[str], *__: Any) -> Any:
        return [self] * len(queries)


def test_only_what_is_new_or_has_changed_is_ranked() -> None:
    parts: Any = Parts()
    source = RankingSource(parts, parts, parts, parts)

    async def rank(collection: str, *queries: str) -> int:
        ranked = await source.rank([parts], collection, queries, 5)
        return len(ranked)

    async def run() -> None:
        assert await rank("default", "one", "two", "one") == 3
        assert await rank("default", "two", "three") == 2
        assert await rank("other", "two") == 1
        assert parts.embedded == [["one", "two"], ["three"], ["two"]]
        changes = {"last": 8, "documents": 2, "number": 2, "fingerprint": "b"}
        for change, value in changes.items():
            setattr(parts, change, value)
            await rank("default", "one")
            await rank("default", "one")
        assert parts.embedded[3:] == [["one"]] * len(changes)

    asyncio.run(run())
