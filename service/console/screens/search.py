"""The screen that searches: why an answer is good or bad, and two generations, modes or rerankers side by side."""

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from service.console.judging import judge
from service.console.pages import Visit
from service.console.public_api import ApiError
from service.console.screen import Screen
from service.console.search_columns import searched
from service.console.search_wanted import MODES, Wanted, answering

_NOTHING: Mapping[str, Any] = {"columns": (), "facets": {}, "offered": (), "overlap": None}
# Who is not signed in any more, and a service that is starting: no other search would be answered either.
_OF_THE_WHOLE_PAGE = (401, 503)


def screen(routes: Screen) -> Screen:
    """Add the routes of the screen."""

    async def show(visit: Visit) -> Response:
        wanted = Wanted.of(visit)
        generations, sets = await asyncio.gather(searchable(visit), _sets(visit))
        shown: Mapping[str, Any] = _NOTHING
        problem = None
        if wanted.query:
            try:
                shown = await searched(visit, wanted)
            except ApiError as error:
                if error.status in _OF_THE_WHOLE_PAGE:
                    raise
                problem = error
        return await routes.pages.render(
            visit,
            "search.html",
            problem.status if problem else 200,
            screen=routes.name,
            wanted=wanted,
            generations=generations,
            modes=MODES,
            problem=problem,
            sets=sets,
            saved=visit.request.query_params.get("saved"),
            **shown,
        )

    async def home(visit: Visit) -> Response:
        """Lead to the first visit as long as there is nothing to search."""
        if not visit.request.query_params and not (await visit.api.get("/info"))["documents"]:
            return routes.pages.lead("/console/start")
        return await show(visit)

    async def judged(visit: Visit, form: Mapping[str, str]) -> Response:
        await judge(visit, form)
        return routes.pages.lead("/console/search", form.get("back", ""))

    routes.shows("/console", home)
    routes.shows("/console/search", show)
    routes.acts("/console/search/judge", judged)
    return routes


async def searchable(visit: Visit) -> list[Mapping[str, Any]]:
    """Return the generations that can answer; only the active one if the key may not see the others."""
    if not visit.session.may("admin"):
        return []
    listed = await visit.api.get("/admin/generations")
    return answering(listed["generations"])


async def _sets(visit: Visit) -> list[str]:
    """Return the names of the lists to which the question can be saved."""
    if not visit.session.may("admin"):
        return []
    return [one["name"] for one in (await visit.api.get("/admin/question-sets"))["sets"]]
