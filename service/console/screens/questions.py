"""The screens of saved questions: lists with names, and one list asked in two ways, to see which answers change."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import RedirectResponse, Response, StreamingResponse

from service import ranking
from service.console import comparison_file
from service.console.judging import verdicts
from service.console.pages import Visit
from service.console.public_api import ApiError
from service.console.screen import Screen
from service.console.screens.search import searchable
from service.console.search_wanted import MODES, Way
from service.console.typed_numbers import typed_number

# Questions that are asked in one request of a browser, and results that are compared.
_PORTION, _K = 10, 10
_HOME = "/console/questions"


def screen(routes: Screen) -> Screen:
    """Add the routes of the screens."""

    async def show_sets(visit: Visit) -> Response:
        sets = (await visit.api.get("/admin/question-sets"))["sets"]
        return await routes.pages.render(visit, "question_sets.html", screen=routes.name, sets=sets)

    async def show_set(visit: Visit) -> Response:
        values = await _comparison(visit)
        return await routes.pages.render(visit, "question_set.html", screen=routes.name, modes=MODES, **values)

    async def show_rows(visit: Visit) -> Response:
        """Answer the next rows of the table, and the row that asks for those after them."""
        values = await _comparison(visit)
        return await routes.pages.render(visit, "question_rows.html", screen=routes.name, **values)

    routes.shows(_HOME, show_sets)
    routes.shows(f"{_HOME}/run", show_set)
    routes.shows(f"{_HOME}/rows", show_rows)
    routes.shows(f"{_HOME}/export", _export)
    routes.acts(f"{_HOME}/save", _save)
    routes.acts(f"{_HOME}/add", _add)
    routes.acts(f"{_HOME}/delete", _delete)
    return routes


def change(left: Sequence[str], right: Sequence[str], verdicts_of: Mapping[str, bool]) -> dict[str, Any]:
    """Return what two rankings of a question differ in: ids, best first.

    `change` is the share of results that only one of them has, and the difference in nDCG beside it where a good
    document is known.
    """
    good = {document for document, is_good in verdicts_of.items() if is_good}
    longest = max(len(left), len(right))
    common = len(set(left) & set(right))
    apart = 1 - common / longest if longest else 0.0
    before, after = ((ranking.ndcg(side, good, _K) if good else None) for side in (left, right))
    gain = None if before is None or after is None else after - before
    return {
        "common": common,
        "shown": longest,
        "good": len(good),
        "good_before": len(good.intersection(left)),
        "good_after": len(good.intersection(right)),
        "before": before,
        "after": after,
        "gain": gain,
        "same_first": left[:1] == right[:1],
        "unjudged": len({*left, *right} - verdicts_of.keys()),
        "change": apart + abs(gain or 0.0),
        "verdict": "unjudged" if gain is None else "better" if gain > 0 else "worse" if gain < 0 else "same",
    }


def usual_ways(generations: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Return the two ways that are compared unless somebody chooses others, as an address writes them.

    The active generation is compared with the one in the shadow, or else with the one before it; without either, by
    keyword.
    """
    newest = {generation["state"]: str(generation["generation"]) for generation in reversed(generations)}
    if "shadow" in newest:
        return "active", newest["shadow"]
    return (newest["retained"], "active") if "retained" in newest else ("active", "active-keyword")


def _ways(sent: Mapping[str, str], generations: Sequence[Mapping[str, Any]]) -> tuple[Way, Way]:
    """Return the two ways of an address."""
    before, after = usual_ways(generations)
    return Way.read(sent.get("left", before)), Way.read(sent.get("right", after))


async def _save(visit: Visit, form: Mapping[str, str]) -> Response:
    """Save the question of the search screen to a list, and go back there."""
    question = {"query": form.get("query", ""), "collection": form.get("collection", "default")}
    saved = await visit.api.post(_path(form.get("name", "").strip()), {"questions": [question]})
    search = visit.request.url.path.removesuffix("/questions/save") + "/search"
    back = form.get("back", "")
    joint = f"{back}&" if back.startswith("?") else "?"
    return RedirectResponse(f"{search}{joint}{urlencode({'saved': saved['name']})}", 303)


async def _add(visit: Visit, form: Mapping[str, str]) -> Response:
    """Add questions to a list as they are written: one a line."""
    collection = form.get("collection", "").strip() or "default"
    lines = [line.strip() for line in form.get("questions", "").splitlines()]
    questions = [{"query": line, "collection": collection} for line in lines if line]
    saved = await visit.api.post(_path(form.get("name", "").strip()), {"questions": questions})
    home = visit.request.url.path.removesuffix("/add")
    return RedirectResponse(f"{home}/run?{urlencode({'name': saved['name']})}", 303)


async def _delete(visit: Visit, form: Mapping[str, str]) -> Response:
    await visit.api.call("DELETE", _path(form.get("name", "")))
    return RedirectResponse(visit.request.url.path.removesuffix("/delete"), 303)


async def _export(visit: Visit) -> Response:
    """Answer a file with all questions of a list, asked in both ways."""
    sent = visit.request.query_params
    left, right = _ways(sent, await searchable(visit))
    listed = await visit.api.get(_path(sent.get("name", "")))

    async def lines() -> AsyncIterator[str]:
        yield comparison_file.head() + comparison_file.lines(first)
        for start in range(_PORTION, listed["count"], _PORTION):
            portion = listed["questions"][start : start + _PORTION]
            yield comparison_file.lines(await _compared(visit, portion, left, right))

    # What the API refuses is shown as a page, so the first questions are asked before the answer begins.
    first = await _compared(visit, listed["questions"][:_PORTION], left, right)
    headers = {"Content-Disposition": 'attachment; filename="comparison.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=headers)


async def _comparison(visit: Visit) -> dict[str, Any]:
    """Return what the templates show of one portion of a list, asked in both ways."""
    sent = visit.request.query_params
    name = sent.get("name", "")
    generations = await searchable(visit)
    left, right = _ways(sent, generations)
    first = typed_number(sent.get("start", "")) or 0
    listed = await visit.api.get(_path(name))
    following = first + _PORTION
    return {
        "generations": generations,
        "listed": listed,
        "left": left,
        "right": right,
        "rows": await _compared(visit, listed["questions"][first:following], left, right),
        "following": following if following < listed["count"] else None,
        "address": partial(_address, name, left, right),
    }


async def _compared(
    visit: Visit, questions: Sequence[Mapping[str, Any]], left: Way, right: Way
) -> list[dict[str, Any]]:
    """Ask the questions in both ways, and return a row for each, the one that changes most first."""
    by_collection: dict[str, list[str]] = {}
    for question in questions:
        by_collection.setdefault(question["collection"], []).append(question["query"])
    said, before, after = await asyncio.gather(
        asyncio.gather(*(verdicts(visit, question["query"], question["collection"]) for question in questions)),
        _rankings(visit, left, by_collection),
        _rankings(visit, right, by_collection),
    )
    rows = []
    for question, verdicts_of in zip(questions, said, strict=True):
        key = (question["collection"], question["query"])
        rows.append({**question, **change(before[key], after[key], verdicts_of)})
    return sorted(rows, key=lambda row: -row["change"])


async def _rankings(
    visit: Visit, way: Way, by_collection: Mapping[str, Sequence[str]]
) -> dict[tuple[str, str], list[str]]:
    """Return the ids that each question finds, best first, by its collection and text."""
    rankings = {}
    for collection, queries in by_collection.items():
        body = {
            "query": list(queries),
            "k": _K,
            "collection": collection,
            "log": False,
            "generation": way.generation,
            "mode": way.mode,
            "rerank": way.reranked or None,
        }
        results: list[list[dict[str, Any]]] = [[] for _ in queries]
        try:
            sent = {name: value for name, value in body.items() if value is not None}
            results = (await visit.api.post("/search", sent))["results"]
        except ApiError as error:
            # The collection may be gone, while its questions stay.
            if error.status != 404 or error.field != "collection":
                raise
        for query, hits in zip(queries, results, strict=True):
            rankings[collection, query] = [str(hit["id"]) for hit in hits]
    return rankings


def _address(name: str, left: Way, right: Way, path: str = "", /, **more: Any) -> str:
    """Return an address with the list and both ways; `more` replaces or adds parts."""
    parts = {"name": name, "left": str(left), "right": str(right), **more}
    return f"{path}?{urlencode({part: value for part, value in parts.items() if value is not None})}"


def _path(name: str) -> str:
    if not name:
        raise ApiError(422, "invalid_request", "the list has no name: write one", "name")
    return f"/admin/question-sets/{quote(name, safe='')}"
