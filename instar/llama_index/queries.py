"""Queries and filters of LlamaIndex, in the words of Instar."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, cast

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

# A filter of Instar. True: all nodes pass. False: none does.
Passing: TypeAlias = dict[str, Any] | bool

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
_OF_LISTS = frozenset({FilterOperator.IN, FilterOperator.ANY, FilterOperator.NIN})
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
    passing = query.filters is None or filter_of(query.filters)
    if passing is False or query.doc_ids == []:
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
    filters = [] if isinstance(passing, bool) else [passing]
    parts = [*filters, *chosen, *([how["filter"]] if how.get("filter") is not None else [])]
    if parts:
        request["filter"] = parts[0] if len(parts) == 1 else {"and": parts}
    return cast(SearchRequest, request)


def among(node_ids: Sequence[str] | None, filters: MetadataFilters | None) -> Passing:
    """The filter for the nodes that are named, unless that is None, and pass; True: all that are named pass."""
    passing = filters is None or filter_of(filters)
    if node_ids is None or passing is False:
        return passing
    if passing is True or not node_ids:
        return bool(node_ids)
    return {"and": [passing, _one_of(NODE, node_ids)]}


def doomed(node_ids: Sequence[str] | None, filters: MetadataFilters | None) -> Passing:
    """Return what `among` does of nodes that are to be deleted.

    Raises ValueError if nodes are chosen by filters alone, and these leave out none.
    """
    if node_ids is None and filters is None:
        return False
    passing = among(node_ids, filters)
    if passing is True and node_ids is None:
        raise ValueError("these filters leave out no node: use clear() to delete all of them")
    return passing


def filter_of(filters: MetadataFilters) -> Passing:
    """The filter of Instar for those of LlamaIndex. Raises ValueError for an operator that it does not have."""
    # Filters of which there are none leave out nothing, in any condition.
    if not filters.filters:
        return True
    parts = [filter_of(one) if isinstance(one, MetadataFilters) else _condition(one) for one in filters.filters]
    condition = filters.condition or FilterCondition.AND
    if condition == FilterCondition.AND:
        return _joined("and", parts)
    passing = _joined("or", parts)
    if condition == FilterCondition.OR:
        return passing
    return not passing if isinstance(passing, bool) else {"not": passing}


def _joined(word: Literal["and", "or"], parts: Sequence[Passing]) -> Passing:
    decisive = word == "or"
    if any(part is decisive for part in parts):
        return decisive
    others = [part for part in parts if not isinstance(part, bool)]
    return {word: others} if others else not decisive


def _one_of(key: str, values: Sequence[Any]) -> dict[str, Any]:
    """The filter for a key that has one of the values, of which there is one at least."""
    parts = [{key: {"in": some}} for some in batched(values, _MOST)]
    return parts[0] if len(parts) == 1 else {"or": parts}


def _condition(one: MetadataFilter) -> Passing:
    if one.operator == FilterOperator.IS_EMPTY:
        # No filter of Instar is met by an empty list.
        return {"or": [{one.key: {"exists": False}}, {one.key: {"in": [None, ""]}}]}
    if one.operator in _OF_LISTS:
        negated: bool = one.operator == FilterOperator.NIN
        if isinstance(one.value, list) and not one.value:
            return negated
        # The service says what is wrong with a value that is no list.
        passing = _one_of(one.key, one.value) if isinstance(one.value, list) else {one.key: {"in": one.value}}
        return {"not": passing} if negated else passing
    if one.operator not in _OPERATORS:
        raise ValueError(f"Instar has no filter {one.operator.value}: use one of {', '.join(_OPERATORS.values())}")
    return {one.key: {_OPERATORS[one.operator]: one.value}}
