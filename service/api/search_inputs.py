"""Checks of a search: its queries, its page of results, and the vectors in it."""

from collections.abc import Sequence

import numpy as np

from service.api.inputs import check_text
from service.api.schemas.search import RERANK_TOP, SearchRequest
from service.errors import InvalidRequest, TooLarge
from service.generations.generation import Generation
from service.generations.rerankers import Rerankers
from service.machine.arrays import Vectors
from service.search.grouping import GroupSpec
from service.search.rerank import Reranking
from service.search.retrieval import Mode
from service.settings import Settings


def check_search(request: SearchRequest, queries: Sequence[str], settings: Settings) -> None:
    """Raise InvalidRequest or TooLarge unless the queries and the page of results are within the limits."""
    if not queries:
        raise InvalidRequest("query is empty: send at least one", "query")
    if len(queries) > settings.limits.queries:
        raise too_many_queries(len(queries), settings.limits.queries)
    _check_combination(request)
    for index, query in enumerate(queries):
        check_text(query, "query" if isinstance(request.query, str) else f"query.{index}", settings)
    if request.k > settings.limits.k:
        raise wrong_k(settings.limits.k)
    if request.offset + request.k > settings.limits.k:
        raise InvalidRequest(
            f"offset + k must be {settings.limits.k} at most: narrow the search by a filter, or raise INSTAR_LIMITS__K",
            "offset",
        )


def _check_combination(request: SearchRequest) -> None:
    if request.rank_of and request.diversity:
        raise InvalidRequest("rank_of has no meaning with diversity: leave one of the two out", "rank_of")
    if request.group_by is not None and request.rank_of:
        raise InvalidRequest("rank_of has no meaning with group_by: leave one of the two out", "rank_of")
    if request.group_by is not None and request.diversity:
        raise two_selections()
    if request.group_by is None and request.group_size != 1:
        raise InvalidRequest("group_size has no meaning without group_by: name a metadata key there", "group_size")


def two_selections() -> InvalidRequest:
    """The request selects among the results both by group and by likeness."""
    return InvalidRequest("diversity and group_by both choose among the results: leave one of the two out", "diversity")


def reranking_of(request: SearchRequest, rerankers: Rerankers, limit: int) -> Reranking | None:
    """The second stage of the search: the one in the request, else the default one; None if it has none.

    Raises NotFound if there is no such reranker, InvalidRequest if the page reaches beyond what is reranked.
    """
    rerank, end, reach = request.rerank, request.offset + request.k, None
    if rerank is None or rerank is True:
        active = rerankers.acquire() if rerank else rerankers.active
        # A search that wants different results wants another order than that of relevance alone.
        if active is None or (rerank is None and (not active.record.by_default or request.diversity)):
            return None
        portion = max(RERANK_TOP, request.k)
        # Whole portions, whatever page is wanted, so that each document is on one page. Where some are left out, at
        # least half of the documents before the last portion pass.
        most = end if request.min_score is None and request.group_by is None else 2 * end
        top = min(-(-most // portion) * portion, limit)
    elif rerank is False:
        return None
    else:
        active, top = rerankers.acquire(rerank.model), rerank.top
        # Every page of such a search is of the same documents.
        portion = reach = top
    if request.diversity:
        raise InvalidRequest("diversity has no meaning with rerank: leave one of the two out", "diversity")
    if not end <= top <= limit:
        raise InvalidRequest(
            f"rerank.top must be offset + k ({end}) to {limit}: results are taken from the documents that are reranked",
            "rerank.top",
        )
    return Reranking(active, top, portion, request.k, request.offset, request.min_score, group_spec(request), reach)


def mode_of(request: SearchRequest, default: Mode, *, reranked: bool) -> Mode:
    """The mode of the search: its own, else the default one.

    Clients that send a least score and no mode mean a cosine, which neither fusion nor BM25 is. A reranker's score is
    its own in every mode.
    """
    if request.mode is not None:
        return request.mode
    return "dense" if default == "hybrid" and request.min_score is not None and not reranked else default


def group_spec(request: SearchRequest) -> GroupSpec | None:
    """The groups that the request wants the best documents of; None: it wants none."""
    return None if request.group_by is None else GroupSpec(request.group_by, request.group_size)


def too_many_queries(count: int, limit: int) -> TooLarge:
    """There are `count` queries, more than `limit`."""
    return TooLarge(
        f"query has {count} questions, more than {limit}: send parts, or raise INSTAR_LIMITS__QUERIES", "query"
    )


def wrong_k(limit: int) -> InvalidRequest:
    """The request asks for more than `limit` results."""
    return InvalidRequest(f"k must be 1 to {limit}: ask for fewer, or raise INSTAR_LIMITS__K", "k")


def query_vectors(request: SearchRequest, mode: Mode, queries: int, generation: Generation) -> Vectors | None:
    """Return the unit vectors (queries, dimensions) in the request, or None if it has none.

    Raises InvalidRequest unless they fit the queries and the checkpoint of `generation`.
    """
    if request.query_vector is None:
        return None
    if mode == "keyword":
        raise InvalidRequest("query_vector has no use in keyword mode: leave it out", "query_vector")
    if request.model != generation.model:
        raise InvalidRequest(
            "model must be the id of the checkpoint that made query_vector, and the one that answers is"
            f" {generation.model}: embed the query with that, send another id, or leave query_vector out",
            "model",
        )
    dimensions = generation.encoder.dimensions
    try:
        vectors = np.array(
            [request.query_vector] if isinstance(request.query, str) else request.query_vector, dtype=np.float32
        )
    except ValueError:
        # The rows have different lengths.
        vectors = np.empty(0, dtype=np.float32)
    if vectors.shape != (queries, dimensions):
        raise InvalidRequest(
            f"query_vector must be {dimensions} numbers, or for several queries a list of that many for each",
            "query_vector",
        )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise InvalidRequest(
            "query_vector must be finite numbers that are not all 0: embed the query again", "query_vector"
        )
    return np.ascontiguousarray(vectors / lengths)
