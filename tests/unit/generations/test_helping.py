"""A replica embeds for another one when that has stored vectors, and only if they are those that it computes itself."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from service.cluster.portion import EmbedPortion, Portion
from service.corpus.base import Seqs
from service.errors import CheckpointRefused
from service.generations import helping
from service.generations.errors import differs_here
from service.generations.helping import Helping
from service.models.windowing import Windowing

PORTION = Portion(np.array([3, 5]), Windowing(overlap=0, most=1))


@dataclass
class Lent:
    """A portion that is free, once the leader has been asked `looks` times for one that is stored."""

    looks: int
    asked: int = 0

    async def stored(self, fingerprint: str) -> Seqs | None:
        assert fingerprint == "f"
        self.asked += 1
        return np.array([1]) if self.asked > self.looks else None

    async def embed_free(self, fingerprint: str, embed: EmbedPortion) -> int:
        assert fingerprint == "f"
        await embed(PORTION)
        return len(PORTION.seqs)


@dataclass
class Replica:
    """A replica that embeds as long as it has embedded less than `wanted` portions."""

    wanted: int = 1
    differs: bool = False
    compared: list[int] = field(default_factory=list)
    embedded: list[Portion] = field(default_factory=list)

    async def embed_portion(self, _encoder: object, _index: object, portion: Portion) -> None:
        assert self.compared
        self.embedded.append(portion)

    async def require_alike_among(self, _generation: object, seqs: Seqs) -> None:
        self.compared += seqs.tolist()
        if self.differs:
            raise differs_here("two", [0.5, 1.0], 0.99)

    def run(self, lent: Lent) -> None:
        generation: Any = SimpleNamespace(encoder=None, index=SimpleNamespace(fingerprint="f"))
        part: Any = self
        asyncio.run(Helping(lent, part, part).embed(generation, lambda: len(self.embedded) < self.wanted))


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helping, "_LOOK_EVERY", 0)


def test_it_waits_until_something_is_stored_and_compares_once() -> None:
    lent, replica = Lent(looks=3), Replica(wanted=2)
    replica.run(lent)
    assert lent.asked == 4
    assert replica.compared == [1]
    assert replica.embedded == [PORTION, PORTION]


def test_a_replica_that_computes_other_vectors_embeds_nothing() -> None:
    replica = Replica(differs=True)
    with pytest.raises(CheckpointRefused, match=r"1 of 2 documents, the least cosine is 0\.500"):
        replica.run(Lent(looks=0))
    assert not replica.embedded


def test_nothing_is_embedded_that_nobody_wants() -> None:
    lent, replica = Lent(looks=0), Replica(wanted=0)
    replica.run(lent)
    assert not lent.asked
    assert not replica.embedded
