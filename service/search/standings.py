"""The standings of documents in the whole ranking of a query, whatever its page shows of it."""

from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

import numpy as np

from service.search.fusion import Scored
from service.search.scope import Scope

# About as many documents are ranked at first as a search ranks.
_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Standing:
    """A document's rank, from 1, and score in the whole ranking of a query, or the reason why it has none.

    `later`: the view does not have it; `filtered`: it does not pass the filter; `unranked`: the ranking does not have
    it.
    """

    rank: int | None = None
    score: float | None = None
    reason: Literal["later", "filtered", "unranked"] | None = None


def standings_in(ranking: Scored, seqs: Collection[int]) -> dict[int, Standing]:
    """Return the standings of those `seqs` that the ranking has."""
    return {seq: Standing(rank, score) for rank, (seq, score) in enumerate(ranking, 1) if seq in seqs}


def standings_by_keyword(scope: Scope, query: str, seqs: Collection[int]) -> dict[int, Standing]:
    """Return the standings of those `seqs` that the ranking by keyword has."""
    standings: dict[int, Standing] = {}
    wanted_seqs = np.array(list(seqs), dtype=np.int64)
    before = 0
    with closing(scope.keyword_ranking(query, _DEPTH).portions) as portions:
        for portion in portions:
            portion_seqs = np.array([seq for seq, _ in portion], dtype=np.int64)
            held = scope.view.holds(portion_seqs, scope.allowed)
            ranks = before + np.cumsum(held)
            for position in np.flatnonzero(held & np.isin(portion_seqs, wanted_seqs)):
                seq, score = portion[position]
                standings[seq] = Standing(int(ranks[position]), score)
            if len(standings) == len(seqs):
                break
            before = int(ranks[-1])
    return standings
