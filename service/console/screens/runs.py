"""Runs of the trainer: what each was trained on, its verdict and figures, and its report in a frame of its own.

A report is a page that somebody has uploaded. Its frame is a place of its own (an opaque origin): no script runs there,
nothing is sent or loaded, and nothing around it can be reached or replaced. Only its links open, each in a new tab, so
that questions lead to the console. To let them lead in this tab would let a report put another page in its place.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from service.console.pages import Visit
from service.console.screen import Screen
from service.console.screens import checkpoints
from service.console.search_wanted import answering

Answer = Mapping[str, Any]
_LIST, _REPORTS = "/console/models/runs", "/console/reports"
# Runs that the list shows before more are asked for.
_SHOWN = 30
_SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
# The sandbox holds as well where the page is opened without the frame. This page alone may stand in one of the console.
_HEADERS = {
    "Content-Security-Policy": f"sandbox {_SANDBOX}; default-src 'none'; style-src 'unsafe-inline'; img-src data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "X-Frame-Options": "SAMEORIGIN",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-DNS-Prefetch-Control": "off",
}


def screen(routes: Screen) -> Screen:
    """Add the routes of the screen."""

    async def show_all(visit: Visit) -> Response:
        runs = newest_first(await checkpoints.read_all(visit))
        shown = runs if visit.request.query_params.get("runs") == "all" else runs[:_SHOWN]
        hidden = len(runs) - len(shown)
        return await routes.pages.render(visit, "models_runs.html", screen=routes.name, runs=shown, hidden=hidden)

    async def show_report(visit: Visit) -> Response:
        checkpoint = await checkpoints.read(visit, visit.request.path_params["name"])
        if not checkpoint.get("report"):
            # The API says what would make one.
            await _report(visit)
        generations = (await visit.api.get("/admin/generations"))["generations"]
        return await routes.pages.render(
            visit,
            "models_report.html",
            screen=routes.name,
            checkpoint=checkpoint,
            sandbox=_SANDBOX,
            pair=both(checkpoint, generations),
        )

    async def pass_on(visit: Visit) -> Response:
        return Response(await _report(visit), media_type="text/html; charset=utf-8", headers=_HEADERS)

    routes.shows(_LIST, show_all)
    routes.shows(f"{_REPORTS}/{{name}}", show_report)
    # As deep as /admin/models/NAME/report: the addresses in a report begin there.
    routes.shows(f"{_REPORTS}/{{name}}/page", pass_on)
    return routes


def newest_first(listed: Sequence[Answer]) -> list[Answer]:
    """Return the checkpoints that a run of the trainer has made."""
    runs = [checkpoint for checkpoint in listed if checkpoint["proof"] is not None]
    return sorted(runs, key=lambda run: (run["changed"], run["name"]), reverse=True)


def both(checkpoint: Answer, generations: Sequence[Answer]) -> tuple[int, int] | None:
    """Return the newest generations of the base and of the checkpoint, if both can be searched."""
    base = checkpoint["origin"]["base"]
    searched = answering(generations)
    left, right = (
        max((each["generation"] for each in searched if each["model"] == model), default=None)
        for model in (base, checkpoint["model"])
    )
    return None if left is None or right is None else (left, right)


async def _report(visit: Visit) -> bytes:
    """Return the report of the checkpoint that a visit is about. Raises ApiError."""
    name = quote(visit.request.path_params["name"], safe="")
    return (await visit.api.raw("GET", f"/admin/models/{name}/report")).content
