"""Embedding goes on in rounds while they help, and says how far it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import pytest

from service.generations.portions import Portion, Unembedded
from service.models.windowing import Windowing
from service.process.embedding import Done, Outcome, Progress, WorkersFailed, embed_all

WINDOWING = Windowing(32, 64)


@dataclass
class Corpus:
    """Ten documents in portions of two."""

    missing: set[int] = field(default_factory=lambda: set(range(1, 11)))

    def portions(self) -> tuple[list[Portion], int]:
        seqs = np.array(sorted(self.missing), np.int64)
        return [Portion(part, WINDOWING) for part in np.split(seqs, range(2, len(seqs), 2)) if len(part)], 10


@dataclass
class Scripted:
    """Workers that, round by round, do so many portions, and then fail with the text, unless that is empty."""

    corpus: Corpus
    script: list[tuple[int, str]]
    raises: bool = False
    rounds: list[int] = field(default_factory=list)

    def embed(self, portions: Sequence[Portion]) -> Iterator[Done]:
        self.rounds.append(len(portions))
        done, problem = self.script.pop(0)
        for portion in portions[:done]:
            self.corpus.missing -= set(portion.seqs.tolist())
            yield Done(len(portion.seqs))
        if problem and self.raises:
            raise WorkersFailed(problem)
        if problem:
            yield from [Done(problem=problem)] * len(portions[done:])


def run(script: list[tuple[int, str]], *, raises: bool = False) -> tuple[Outcome, list[int], list[str]]:
    corpus, said = Corpus(), list[str]()
    workers = Scripted(corpus, script, raises)
    return embed_all(cast("Unembedded", corpus), workers, said.append), workers.rounds, said


def test_one_round_is_enough_where_nothing_fails() -> None:
    outcome, rounds, _ = run([(5, "")])
    assert (outcome, rounds) == (Outcome(10, 10, 0, ""), [5])


@pytest.mark.parametrize("raises", [True, False])
def test_a_round_that_lost_something_is_followed_by_one_with_what_is_missing(raises: bool) -> None:
    outcome, rounds, said = run([(2, "the store was away"), (3, "")], raises=raises)
    assert (outcome, rounds) == (Outcome(10, 10, 0, ""), [5, 3])
    assert "6 documents are missing still (the store was away): they are next" in said


@pytest.mark.parametrize("raises", [True, False])
def test_a_round_that_stores_nothing_is_the_last(raises: bool) -> None:
    outcome, rounds, _ = run([(1, "away"), (0, "gone for good"), (4, "")], raises=raises)
    assert (outcome, rounds) == (Outcome(10, 2, 8, "gone for good"), [5, 4])


def test_nothing_is_done_where_nothing_is_missing() -> None:
    corpus = Corpus(set())
    outcome = embed_all(cast("Unembedded", corpus), Scripted(corpus, []), lambda _: None)
    assert outcome == Outcome(10, 0, 0, "")


def test_the_rate_is_that_of_documents_and_leaves_out_the_loading_of_models() -> None:
    now = 1000.0
    progress = Progress(50_000, lambda: now)
    assert not progress.is_due()
    now = 1060.0
    progress.add(128)
    assert progress.is_due()
    assert progress.line() == "128 of 50,000 documents"
    now = 1070.0
    progress.add(1000)
    assert progress.is_due()
    assert not progress.is_due()
    assert progress.line() == "1,128 of 50,000 documents, 100 a second, 8 min left"


@pytest.mark.parametrize(("total", "left"), [(1_000, "10 s"), (100_000, "17 min"), (1_000_000, "3 h")])
def test_the_time_that_is_left_has_the_unit_that_suits(total: int, left: str) -> None:
    now = 0.0
    progress = Progress(total + 20, lambda: now)
    progress.add(10)
    now = 0.1
    progress.add(10)
    assert progress.line().endswith(f"{left} left")
