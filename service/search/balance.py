"""Weights of a hybrid search: its own, else those of its generation and collection, else the default."""

from dataclasses import dataclass, replace
from typing import Literal

from service.corpus.balance import BalanceSource
from service.generations.generation import Generation
from service.search.fusion import WEIGHTS, Weights
from service.search.retrieval import SearchSpec


@dataclass(frozen=True, slots=True)
class Weighing:
    """The weights of a search and where they come from; `request`: from the search itself."""

    weights: Weights
    source: BalanceSource | Literal["request"]


def weighing(spec: SearchSpec, generation: Generation) -> Weighing:
    """Return the weights with which `generation` answers the search. Balances are of scores, and not of ranks."""
    if spec.weights is not None:
        return Weighing(spec.weights, "request")
    balance = generation.record.weights.get(spec.collection) if spec.fusion == "score" else None
    if balance is None:
        return Weighing(WEIGHTS[spec.fusion], "default")
    return Weighing(Weights(balance.dense, balance.keyword), balance.source)


def weighed(spec: SearchSpec, generation: Generation) -> SearchSpec:
    """Return the search with the weights with which `generation` answers it."""
    return replace(spec, weights=weighing(spec, generation).weights)
