"""The screen of models: generations as a line in time, a reload as it happens, checkpoints, and reloads of the past."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from service.console.latency import SearchLatency, searches_in
from service.console.pages import Visit
from service.console.public_api import ApiError
from service.console.screen import Screen
from service.console.screens import checkpoints, model_changes
from service.console.screens.model_effects import duration, judge_findings, loss, shadow_findings

Answer = Mapping[str, Any]
# Generations that the line shows, and jobs that the list shows, before more are asked for.
_GENERATIONS, _JOBS, _MOST_JOBS = 8, 10, 100
# Stages of a reload in their order, with a word for each. A reranker has those that are marked.
_STAGES = (
    ("install", "verify", True),
    ("load", "load", True),
    ("probe", "try", True),
    ("resources", "room", False),
    ("embed", "embed", False),
    ("index", "index", False),
    ("judge", "judge", True),
    ("shadow", "shadow", False),
    ("activate", "put live", True),
)
_USUAL, _SLOW = 0.5, 0.99
# The drawing of the latency, in its own units.
_WIDTH, _HEIGHT = 120, 24


@dataclass(frozen=True, slots=True)
class Step:
    """A stage of a reload: its word, and whether it is over, under way, or to come."""

    word: str
    state: str


def steps(job: Answer) -> list[Step]:
    """Return the stages of a job that is under way."""
    wanted = [
        (name, word)
        for name, word, reranks in _STAGES
        if (reranks or job["kind"] == "dense") and (name != "shadow" or job["shadow"] is not None)
    ]
    names = [name for name, _ in wanted]
    now = names.index(job["stage"]) if job["stage"] in names else -1
    states = ["over" if index < now else "now" if index == now else "to come" for index in range(len(names))]
    return [Step(word, state) for (_, word), state in zip(wanted, states, strict=True)]


def phase(job: Answer) -> str:
    """Return building, shadow or ended: what can be done with a job changes with it."""
    if job["state"] not in ("queued", "running"):
        return "ended"
    return "shadow" if job["stage"] == "shadow" else "building"


def drawing(line: Sequence[float | None]) -> str:
    """Return durations as the points of an SVG polyline, the highest at the top; gaps have none."""
    highest = max((seconds for seconds in line if seconds is not None), default=0) or 1
    across = _WIDTH / max(len(line) - 1, 1)
    return " ".join(
        f"{index * across:.0f},{_HEIGHT - 2 - seconds / highest * (_HEIGHT - 4):.0f}"
        for index, seconds in enumerate(line)
        if seconds is not None
    )


def screen(routes: Screen) -> Screen:
    """Add the routes of the screen."""
    latency = SearchLatency()

    async def show(visit: Visit) -> Response:
        sent = visit.request.query_params
        listed = await visit.api.get("/admin/generations")
        jobs = (await visit.api.get("/admin/jobs", {"limit": _MOST_JOBS if sent.get("jobs") else _JOBS}))["jobs"]
        generations = listed["generations"]
        built = [each for each in generations if "job" not in each]
        shown = built if sent.get("generations") == "all" else built[:_GENERATIONS]
        running = jobs[0] if jobs and phase(jobs[0]) != "ended" else None
        return await routes.pages.render(
            visit,
            "models.html",
            screen=routes.name,
            line=[*reversed(shown), *(each for each in generations if "job" in each)],
            hidden=len(built) - len(shown),
            reranker=listed["reranker"],
            job=running,
            jobs=jobs,
            more_jobs=len(jobs) == _JOBS,
            before=await _step_back(visit),
            **(await _progress(visit, running, latency) if running else {}),
        )

    async def progress(visit: Visit) -> Response:
        sent = visit.request.query_params
        try:
            job = await visit.api.get(f"/admin/jobs/{quote(sent.get('job', ''), safe='')}")
        except ApiError as error:
            if error.status != 404:
                raise
            return _again()
        # The rest of the page depends on the phase: what can be done, and which generations there are.
        if phase(job) != sent.get("phase"):
            return _again()
        return await routes.pages.render(
            visit, "models_progress.html", screen=routes.name, job=job, **await _progress(visit, job, latency)
        )

    async def show_job(visit: Visit) -> Response:
        job = await visit.api.get(f"/admin/jobs/{quote(visit.request.path_params['identity'], safe='')}")
        return await routes.pages.render(
            visit,
            "models_job.html",
            screen=routes.name,
            job=job,
            judged=judge_findings(job["judged"]) if job["judged"] else [],
            shadowed=shadow_findings(job["shadowed"]),
        )

    routes.shows("/console/models", show)
    routes.shows("/console/models/progress", progress)
    routes.shows("/console/models/jobs/{identity}", show_job)
    model_changes.add(routes)
    checkpoints.add(routes)
    return routes


async def _progress(visit: Visit, job: Answer, latency: SearchLatency) -> dict[str, Any]:
    """Return how far a job is, and how long searches take beside it, in milliseconds."""
    metrics = (await visit.api.raw("GET", "/metrics")).text
    latency.note(job["id"], time.monotonic(), searches_in(metrics))
    return {
        "phase": phase(job),
        "steps": steps(job),
        "judged": judge_findings(job["judged"]) if job["judged"] else [],
        "shadowed": shadow_findings(job["shadowed"]),
        "loss": loss(job["judged"]),
        "before_ms": _milliseconds(latency.before(_SLOW)),
        "usual_ms": _milliseconds(latency.lately(_USUAL)),
        "slow_ms": _milliseconds(latency.lately(_SLOW)),
        "left": None if job["eta_s"] is None else duration(job["eta_s"]),
        "drawing": drawing(latency.line(_SLOW)),
    }


def _again() -> Response:
    """Tell htmx to load the whole page again."""
    return Response(status_code=204, headers={"HX-Refresh": "true"})


async def _step_back(visit: Visit) -> Answer | None:
    """Return where a rollback leads without a number; None if there is no step back, or the service is starting."""
    try:
        plan: Answer = await visit.api.get("/admin/rollback")
    except ApiError:
        return None
    return plan


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else 1000 * seconds
