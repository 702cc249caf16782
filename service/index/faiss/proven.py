"""A graph whose recall is proven: with the links of a former graph while these still do, else with links of its own.

A model that was tuned moves its vectors little, so that most neighbours stay and the links between them are worth as
much as before. Taking them over costs next to nothing, and making them is the most of what a build takes. How far the
vectors have moved is not asked: the effort says whether the links still do.
"""

import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from service.index.base import IsGivenUp
from service.index.faiss import graph as graphs
from service.index.faiss.graph import Graph, Links
from service.machine.arrays import Vectors

log = logging.getLogger(__name__)

# Sets the effort of a graph, and returns it with its recall.
Tune = Callable[[Graph], tuple[Graph, float]]

# Links of fewer vectors than this share save less than it costs to make all anew once they turn out to be of no use.
_LEAST_LINKED = 0.5
# Efforts rise by a quarter (service/index/effort.py). One step more is paid for links that cost nothing.
_MOST_OVER = 1.3


def prove(vectors: Vectors, tune: Tune, given_up: IsGivenUp, links: Links | None) -> tuple[Graph | None, float]:
    """Build a graph of `vectors` (n, dimensions), which all differ. Returns it with its recall.

    It takes over `links`; those whose vectors have moved only if most vectors have some, and if it needs hardly more
    effort than the graph that they were made for. It is None, and the recall 1, if some vectors stay out of its reach.
    Raises GivenUp soon after `given_up` answers true.
    """
    linked = None if links is None else _linked(vectors, tune, given_up, links)
    if linked is not None:
        return linked
    graph, lost = graphs.build(vectors, given_up)
    if graph is None:
        log.warning("%d of %d vectors are out of reach of the graph: the search is exact", lost, len(vectors))
        return None, 1.0
    graph, recall = tune(graph)
    return replace(graph, built_effort=graph.effort), recall


def _linked(vectors: Vectors, tune: Tune, given_up: IsGivenUp, links: Links) -> tuple[Graph, float] | None:
    """Build the graph with these links; None if they do no longer."""
    if links.moved and np.count_nonzero(links.rows >= 0) < _LEAST_LINKED * len(vectors):
        return None
    graph, _ = graphs.build(vectors, given_up, links)
    if graph is None:
        return None
    graph, recall = tune(graph)
    former = links.graph
    if not links.moved:
        # The graph has grown. More vectors need more effort, with links of their own as well.
        grown = graph.effort / max(former.effort, 1)
        return replace(graph, built_effort=round(former.built_effort * grown)), recall
    if graph.effort > _MOST_OVER * former.built_effort:
        log.info(
            "the links of the former graph need an effort of %d, and %d when made: all are made anew",
            graph.effort,
            former.built_effort,
        )
        return None
    log.info(
        "a graph of %d vectors has the links of the former one (effort %d, %d when made)",
        len(vectors),
        graph.effort,
        former.built_effort,
    )
    return replace(graph, built_effort=former.built_effort), recall
