"""Answers to a search beside each other: each result with what the other way makes of it, and what was not found."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from service.console.conditions import condition_of
from service.console.judging import verdicts
from service.console.pages import Visit
from service.console.public_api import ApiError
from service.console.search_wanted import Wanted, Way

# Metadata values that are offered as filters: values of each key, and keys.
_VALUES, _KEYS = 8, 8
# Documents that are offered for words, and documents whose rank the API says at most.
_OFFERED, _RANKED = 5, 100
# The text is no id that the person may read. So it is words.
_NO_ID = (403, 404, 422)


async def searched(visit: Visit, wanted: Wanted) -> dict[str, Any]:
    """Search, and return what the page shows of it. Raises ApiError.

    `columns` are the answers, `facets` the values to narrow by, `offered` documents with the words of `wanted.missing`,
    and `overlap` says what two columns have in common.
    """
    said, offered = await asyncio.gather(verdicts(visit, wanted.query, wanted.collection), _offered(visit, wanted))
    offered_ids = [hit["id"] for hit in offered]
    good = [document for document, is_good in said.items() if is_good]
    named = [wanted.missing, *offered_ids] if wanted.missing else []
    rank_of = list(dict.fromkeys([*named, *good]))[:_RANKED]
    ways = [wanted.left] if wanted.right is None else [wanted.left, wanted.right]
    columns = await asyncio.gather(*(_column(visit, wanted, way, rank_of) for way in ways))
    for column in columns:
        for hit in column["hits"]:
            hit["verdict"] = said.get(hit["id"])
            hit["narrowing"] = _narrowing(wanted, hit["metadata"])
        column["elsewhere"] = [
            {**place, "verdict": said.get(place["id"])}
            for place in column["places"].values()
            if place["id"] not in column["ranks"] and _is_shown(place, wanted, offered_ids)
        ]
    return {
        "columns": columns,
        "facets": await _facets(visit, wanted, columns[0]["answer"]["results"]),
        "offered": [
            {**hit, "verdict": said.get(hit["id"]), "places": [column["places"][hit["id"]] for column in columns]}
            for hit in offered
        ],
        "overlap": await _compare(visit, wanted, columns) if len(columns) == 2 else None,
    }


async def _column(visit: Visit, wanted: Wanted, way: Way, rank_of: Sequence[str]) -> dict[str, Any]:
    """Return the answer to one way to search."""
    answer = await visit.api.raw("POST", "/search", json=wanted.body(way, (), rank_of))
    content = answer.json()
    hits = [
        {
            **hit,
            "rank": rank,
            "pieces": pieces(hit["text"], hit.get("highlights", ())),
            "moved": None,
        }
        for rank, hit in enumerate(content["results"], 1)
    ]
    return {
        "way": way,
        "answer": content,
        "timing": _timing(answer.headers.get("Server-Timing", "")),
        "ranks": {hit["id"]: hit["rank"] for hit in hits},
        "hits": hits,
        "places": {place["id"]: place for place in content.get("rank_of", ())},
        "curl": wanted.curl(way, visit.origin),
    }


async def _compare(visit: Visit, wanted: Wanted, columns: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Note at each result of two columns where it moves from left to right; return what both have in common."""
    left, right = columns
    went = [identity for identity in left["ranks"] if identity not in right["ranks"]]
    came = [identity for identity in right["ranks"] if identity not in left["ranks"]]
    far_right, far_left = await asyncio.gather(
        _ranks(visit, wanted, right["way"], went), _ranks(visit, wanted, left["way"], came)
    )
    for column, kind, far in ((left, "gone", far_right), (right, "new", far_left)):
        for hit in column["hits"]:
            before, after = left["ranks"].get(hit["id"]), right["ranks"].get(hit["id"])
            hit["moved"] = moved(before, after) or {"kind": kind, "by": 0, "rank": far.get(hit["id"])}
    return {
        "common": len(left["ranks"]) - len(went),
        "shown": max(len(left["ranks"]), len(right["ranks"])),
        "same_first": list(left["ranks"])[:1] == list(right["ranks"])[:1],
    }


def moved(before: int | None, after: int | None) -> dict[str, Any] | None:
    """Return how a result moves from a rank to another: up, down or same, and by how many; None if it lacks one."""
    if before is None or after is None:
        return None
    kind = "same" if before == after else "up" if after < before else "down"
    return {"kind": kind, "by": abs(after - before), "rank": None}


async def _ranks(visit: Visit, wanted: Wanted, way: Way, ids: Sequence[str]) -> dict[str, int | None]:
    """Return the ranks that documents have below the results of a way; of a reranked search they are not known."""
    if not ids or way.reranked:
        return {}
    body = wanted.body(way, (), ids) | {"k": 1, "highlight": False, "explain": False}
    return {place["id"]: place["rank"] for place in (await visit.api.post("/search", body))["rank_of"]}


async def _offered(visit: Visit, wanted: Wanted) -> list[dict[str, Any]]:
    """Return documents with the words of `wanted.missing`; none if it is the id of a document."""
    if not wanted.missing:
        return []
    about = {"collection": wanted.collection}
    try:
        await visit.api.post("/documents/inspect", {**about, "id": wanted.missing, "neighbours": 0})
    except ApiError as error:
        if error.status not in _NO_ID:
            raise
    else:
        return []
    body = {**about, "query": wanted.missing, "mode": "keyword", "k": _OFFERED, "highlight": True, "log": False}
    hits = (await visit.api.post("/search", body))["results"]
    return [{**hit, "pieces": pieces(hit["text"], hit.get("highlights", ()))} for hit in hits]


def _is_shown(place: Mapping[str, Any], wanted: Wanted, offered_ids: Sequence[str]) -> bool:
    """Say whether the rank of a document is said above a column, and neither beside its words nor of words."""
    is_words = place["id"] == wanted.missing and place["rank"] is None and bool(offered_ids)
    return place["id"] not in offered_ids and not is_words


async def _facets(
    visit: Visit, wanted: Wanted, results: Sequence[Mapping[str, Any]]
) -> Mapping[str, list[dict[str, Any]]]:
    """Return the values of the metadata keys that the results have, with their counts, and the addresses with each."""
    keys = list(dict.fromkeys(key for hit in results for key, value in hit["metadata"].items() if _is_plain(value)))
    if not keys:
        return {}
    body = wanted.body(wanted.left, keys[:_KEYS]) | {
        "k": 1,
        "facet_limit": _VALUES,
        "explain": False,
        "highlight": False,
    }
    counts: Mapping[str, Any] = (await visit.api.post("/search", body)).get("facets", {})
    return {
        key: [
            facet | {"address": wanted.address(where=[*wanted.conditions, condition_of(key, facet["value"])])}
            for facet in values
        ]
        for key, values in counts.items()
        if len(values) > 1
    }


def _narrowing(wanted: Wanted, metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return by key the conditions that the values are, unless the search has them already."""
    conditions = {key: condition_of(key, value) for key, value in metadata.items() if _is_plain(value)}
    return {key: condition for key, condition in conditions.items() if condition not in wanted.conditions}


def _timing(header: str) -> list[tuple[str, float]]:
    """Return the steps of `Server-Timing` with their milliseconds (W3C Server Timing)."""
    steps = [step.strip().split(";dur=") for step in header.split(",") if ";dur=" in step]
    return [(name, float(milliseconds)) for name, milliseconds in steps]


def pieces(text: str, spans: Sequence[Sequence[int]]) -> list[tuple[str, bool]]:
    """Cut a text at its highlights: pieces, each with whether it is one."""
    cut: list[tuple[str, bool]] = []
    end = 0
    for start, stop in spans:
        cut += [(text[end:start], False), (text[start:stop], True)]
        end = stop
    return [piece for piece in [*cut, (text[end:], False)] if piece[0]]


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | bool) and len(str(value)) <= 60
