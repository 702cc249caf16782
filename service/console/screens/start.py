"""The first visit: three ways to begin, and what is left to do until the first tuned model answers."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from service.console.judging import VERDICT_NEEDS, question_counts
from service.console.pages import Visit, load_command
from service.console.public_api import ApiError
from service.console.screen import Screen

_SEARCHES = 50
_DAYS = 30
CLIENTS = ("langchain", "openai", "docsgpt", "curl")


def screen(routes: Screen) -> Screen:
    """Add the routes of the screen."""

    async def show(visit: Visit, problem: str | None = None, status: int = 200) -> Response:
        client = visit.request.query_params.get("connect", CLIENTS[0])
        return await routes.pages.render(
            visit,
            "start.html",
            status,
            screen=routes.name,
            steps=await steps(visit),
            clients=CLIENTS,
            client=client if client in CLIENTS else CLIENTS[0],
            origin=visit.origin,
            load_command=load_command(visit, "default"),
            problem=problem,
        )

    async def add_sample(visit: Visit, form: Mapping[str, str]) -> Response:
        try:
            await visit.api.post("/admin/sample", {"collection": form.get("collection") or "default"})
        except ApiError as error:
            return await show(visit, error.message, error.status)
        return routes.pages.lead("/console/start")

    routes.shows("/console/start", show)
    routes.acts("/console/start/sample", add_sample)
    return routes


async def steps(visit: Visit) -> Sequence[Mapping[str, Any]]:
    """Return the steps to the first tuned model, each with how many are `done` and `wanted`, and where to do it.

    A key that may not ask for the numbers sees the first step alone.
    """
    info = await visit.api.get("/info")
    listed = [_step("Bring documents", info["documents"], 1, "corpus/load")]
    if visit.session.may("admin"):
        insights, counts, models, generations = await asyncio.gather(
            visit.api.get("/admin/insights", {"days": _DAYS, "limit": 1}),
            question_counts(visit),
            visit.api.get("/admin/models"),
            visit.api.get("/admin/generations"),
        )
        tuned = {model["model"] for model in models["models"] if model.get("lineage")}
        swapped = [one for one in generations["generations"] if one["model"] in tuned and one.get("activated")]
        listed += [
            _step("Search", insights["total"]["searches"], _SEARCHES, "search"),
            _step("Judge questions", counts["training"], VERDICT_NEEDS, "judge"),
            _step("Train a model", len(tuned), 1, "models"),
            _step("Put it live", len(swapped), 1, "models"),
        ]
    return listed


def _step(title: str, done: int, wanted: int, path: str) -> dict[str, Any]:
    return {"title": title, "done": min(done, wanted), "wanted": wanted, "path": path, "is_done": done >= wanted}
