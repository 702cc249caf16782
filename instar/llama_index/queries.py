"""Queries and filters of LlamaIndex, in the words of Instar."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)

from instar.client.portions import batched
from instar.client.types import SearchRequest

# The metadata in which a node has its own id, and LlamaIndex notes the id of its document.
NODE, DOCUMENT = "_node_id", "ref_doc_id"
# Values of one condition.
_MOST = 1000
# How many nodes a store is to choose of; Instar decides that itself.
_OF_A_STORE = ("mmr_prefetch_factor", "mmr_prefetch_k")
_MODES: Mapping[VectorStoreQueryMode, str] = {
    VectorStoreQueryMode.SPARSE: "keyword",
    VectorStoreQueryMode.TEXT_SEARCH: "keyword",
    VectorStoreQueryMode.HYBRID: "hybrid",
}
_OPERATORS: Mapping[FilterOperator, str] = {
    FilterOperator.EQ: "eq",
    FilterOperator.NE: "ne",
    FilterOperator.GT: "gt",
    FilterOperator.GTE: "gte",
    FilterOperator.LT: "lt",
    FilterOperator.LTE: "lte",
    FilterOperator.IN: "in",
    FilterOperator.ANY: "in",
    FilterOperator.ALL: "all",
    # A list that has the value is met by equality.
    FilterOperator.CONTAINS: "eq",
}


def search_of(query: VectorStoreQuery, collection: str, how: Mapping[str, Any]) -> SearchRequest | None:
    """The search for the text of a query; `how` is of `POST /search`, and goes before. None: nothing can pass.

    LlamaIndex hands the settings of its mode `mmr` over in `how`; they are for that mode alone.

    Raises ValueError for a filter that Instar does not have.
    """
    if query.doc_ids is not None and not query.doc_ids:
        return None
    how = dict(how)
    threshold = how.pop("mmr_threshold", query.mmr_threshold)
    for name in _OF_A_STORE:
        how.pop(name, None)
    request: dict[str, Any] = {"query": query.query_str, "k": query.similarity_top_k, "collection": collection}
    if query.mode in _MODES:
        request["mode"] = _MODES[query.mode]
    if query.mode == VectorStoreQueryMode.HYBRID:
        request["k"] = query.hybrid_top_k or query.similarity_top_k
        if query.alpha is not None:
            request["weights"] = {"dense": query.alpha, "keyword": 1 - query.alpha}
    if query.mode == VectorStoreQueryMode.MMR:
        request["diversity"] = 1 - (threshold if threshold is not None else 0.5)
    request |= how
    # An index names none of its nodes by an empty list, and means all.
    chosen = [_one_of(key, ids) for key, ids in ((DOCUMENT, query.doc_ids), (NODE, query.node_ids)) if ids]
    filters = [] if query.filters is None else [filter_of(query.filters)]
    parts = [*filters, *chosen, *([how["filter"]] if how.get("filter") is not None else [])]
    if parts:
        request["filter"] = parts[0] if len(parts) == 1 else {"and": parts}
    return cast(SearchRequest, request)


def among(node_ids: Sequence[str] | None, filters: MetadataFilters) -> dict[str, Any]:
    """The filter of Instar for those of LlamaIndex and, unless it is None, a list of nodes that is not empty."""
    passing = filter_of(filters)
    return passing if node_ids is None else {"and": [passing, _one_of(NODE, node_ids)]}


def _one_of(key: str, values: Sequence[str]) -> dict[str, Any]:
    parts = [{key: {"in": some}} for some in batched(values, _MOST)]
    return parts[0] if len(parts) == 1 else {"or": parts}


def filter_of(filters: MetadataFilters) -> dict[str, Any]:
    """The filter of Instar for those of LlamaIndex. Raises ValueError for an operator that it does not have."""
    parts = [filter_of(one) if isinstance(one, MetadataFilters) else _condition(one) for one in filters.filters]
    condition = filters.condition or FilterCondition.AND
    return {"not": {"or": parts}} if condition == FilterCondition.NOT else {condition.value: parts}


def _condition(one: MetadataFilter) -> dict[str, Any]:
    if one.operator == FilterOperator.IS_EMPTY:
        # No filter of Instar is met by an empty list.
        return {"or": [{one.key: {"exists": False}}, {one.key: {"in": [None, ""]}}]}
    if one.operator == FilterOperator.NIN:
        return {"not": {one.key: {"in": one.value}}}
    if one.operator not in _OPERATORS:
        raise ValueError(f"Instar has no filter {one.operator.value}: use one of {', '.join(_OPERATORS.values())}")
    return {one.key: {_OPERATORS[one.operator]: one.value}}
