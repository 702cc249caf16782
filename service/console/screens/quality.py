"""The screen of quality: how well models answer the judged questions, what they get wrong, and what users say."""

import asyncio
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from starlette.responses import JSONResponse, Response

from service.console.pages import Visit
from service.console.screen import Screen
from service.console.search_wanted import answering
from service.console.typed_numbers import typed_number

MODES = ("dense", "hybrid", "keyword")
_SIDES = ("judge", "train")
_PAGE = 20
# Seconds that a page waits for figures; after that it shows how far they are, and comes back.
_PATIENCE = 0.1
_DAYS = 30
# Questions of which those are shown that were asked often and that nobody has called well answered.
_ASKED = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """The wish of an address. None: the active generation, all collections, the mode of the service's gate."""

    generation: int | None
    collection: str | None
    mode: str | None
    side: str
    page: int

    @classmethod
    def of(cls, visit: Visit) -> "Wanted":
        """Read the address of a visit; parts that mean nothing are ignored."""
        sent = visit.request.query_params
        mode, side = sent.get("mode", ""), sent.get("side", "")
        return cls(
            generation=typed_number(sent.get("generation", "")),
            collection=sent.get("collection") or None,
            mode=mode if mode in MODES else None,
            side=side if side in _SIDES else "judge",
            page=typed_number(sent.get("page", "")) or 1,
        )

    def address(self, **changed: Any) -> str:
        """Return the address of the same screen with some parts changed."""
        parts = {
            "generation": self.generation,
            "collection": self.collection,
            "mode": self.mode,
            "side": None if self.side == "judge" else self.side,
            "page": None if self.page == 1 else self.page,
        }
        return "?" + urlencode({name: value for name, value in (parts | changed).items() if value is not None})

    def curl(self, origin: str) -> str:
        """Return the command line that asks the same."""
        address = shlex.quote(f"{origin}/admin/quality{self.address(page=None)}".removesuffix("?"))
        return f'curl {address} -H "Authorization: Bearer $KEY"'

    def conditions(self) -> dict[str, Any]:
        """Return the parameters of `GET /admin/quality`."""
        return {
            "generation": self.generation,
            "collection": self.collection,
            "mode": self.mode,
            "side": self.side,
            "limit": _PAGE,
            "offset": _PAGE * (self.page - 1),
            "wait": _PATIENCE,
        }


def screen(routes: Screen) -> Screen:
    """Add the routes of the screen."""

    async def show(visit: Visit) -> Response:
        wanted = Wanted.of(visit)
        quality, listed = await asyncio.gather(
            visit.api.get("/admin/quality", wanted.conditions()), visit.api.get("/admin/generations")
        )
        # Figures that were taken meanwhile have their point in it.
        history = await visit.api.get("/admin/quality/history")
        total = (quality["figures"] or {}).get("queries", 0)
        return await routes.pages.render(
            visit,
            "quality.html",
            screen=routes.name,
            wanted=wanted,
            quality=quality,
            generations=answering(listed["generations"]),
            modes=MODES,
            curl=wanted.curl(visit.origin),
            pages=-(-total // _PAGE),
            latest=latest_of(history["points"], quality["mode"]),
            live={one["generation"]: one["activated"] for one in listed["generations"] if one.get("activated")},
        )

    async def show_use(visit: Visit) -> Response:
        wanted = Wanted.of(visit)
        insights = await visit.api.get("/admin/insights", _days(wanted) | {"limit": _ASKED})
        return await routes.pages.render(
            visit,
            "quality_use.html",
            screen=routes.name,
            wanted=wanted,
            insights=insights,
            unanswered=unanswered(insights["most_asked"])[:_PAGE],
            nothing_found=insights["nothing_found"][:_PAGE],
            days=_DAYS,
        )

    async def history(visit: Visit) -> Response:
        history, listed = await asyncio.gather(
            visit.api.get("/admin/quality/history"), visit.api.get("/admin/generations")
        )
        lines = series(history["points"], visit.request.query_params.get("mode", ""))
        return JSONResponse({"series": lines, "activations": activations(listed["generations"])})

    async def days(visit: Visit) -> Response:
        insights = await visit.api.get("/admin/insights", _days(Wanted.of(visit)) | {"limit": 1})
        return JSONResponse(
            {"days": [_seconds(f"{day['day']}T00:00:00Z") for day in insights["by_day"]]}
            | {name: [day[name] for day in insights["by_day"]] for name in ("good", "bad")}
        )

    routes.shows("/console/quality", show)
    routes.shows("/console/quality/use", show_use)
    routes.shows("/console/quality/history.json", history)
    routes.shows("/console/quality/days.json", days)
    return routes


def unanswered(most_asked: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the questions that were asked more than once, and whose answers nobody has called good."""
    return [question for question in most_asked if question["searches"] > 1 and not question["good"]]


def latest_of(points: Sequence[Mapping[str, Any]], mode: str) -> list[Mapping[str, Any]]:
    """Return the last point of each generation in a mode, the newest generation first. `points` are in time's order."""
    latest = {(point["generation"], point["model"]): point for point in points if point["mode"] == mode}
    return sorted(latest.values(), key=lambda point: -int(point["generation"]))


def series(points: Sequence[Mapping[str, Any]], mode: str) -> list[dict[str, Any]]:
    """Return the points of each generation in a mode as lists beside each other, which a chart draws."""
    lines: dict[tuple[int, str], dict[str, Any]] = {}
    for point in points:
        if point["mode"] != mode:
            continue
        line = lines.setdefault(
            (point["generation"], point["model"]),
            {"generation": point["generation"], "model": point["model"], "at": [], "ndcg": [], "recall": []},
        )
        line["at"].append(_seconds(point["at"]))
        for name in ("ndcg", "recall"):
            figures = point["figures"]
            line[name].append([figures[name], *(figures[f"{name}_interval"] or (None, None))])
    return list(lines.values())


def activations(generations: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return when each generation went live last, the first one first; those that never did are left out."""
    live = [one for one in generations if one.get("activated")]
    moments = [{"generation": one["generation"], "at": _seconds(one["activated"])} for one in live]
    return sorted(moments, key=lambda moment: moment["at"])


def _days(wanted: Wanted) -> dict[str, Any]:
    return {"days": _DAYS, "collection": wanted.collection}


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
