"""The screen System: keys, settings, a backup, and how the service fares."""

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.responses import RedirectResponse, Response

from service.access.keyring import SCOPES
from service.console.charts import charts
from service.console.pages import Visit
from service.console.passing import Passed
from service.console.public_api import ApiError
from service.console.screen import Screen

_LIMITS = ("requests_per_minute", "requests_per_day", "tokens_per_minute", "tokens_per_day")
_LEVELS = ("info", "warning", "error")
_LINES = 100
_PURPOSES = {
    "embed": "embed texts",
    "search": "search, and read documents",
    "write": "write and delete documents",
    "feedback": "send what users do, which teaches the model",
    "judge": "judge in its own name, and search",
    "admin": "do everything",
}


def screen(routes: Screen) -> Screen:
    """Add the routes of the screen to `routes`."""

    async def show(visit: Visit) -> Response:
        return await _page(routes, visit)

    async def make(visit: Visit, form: Mapping[str, str]) -> Response:
        try:
            made = await visit.api.post("/admin/keys", _wanted(form))
        except ApiError as error:
            return await _page(routes, visit, error.status, problem=error, form=form)
        if visit.session.key is None:
            # From now on the console asks for a key as well.
            return await routes.pages.render(visit, "system_first_key.html", screen=routes.name, made=made)
        return await _page(routes, visit, made=made)

    async def revoke(visit: Visit, form: Mapping[str, str]) -> Response:
        try:
            await visit.api.call("DELETE", f"/admin/keys/{form.get('name', '')}")
        except ApiError as error:
            return await _page(routes, visit, error.status, problem=error)
        return RedirectResponse(f"{visit.request.scope.get('root_path', '')}/console/system#keys-of-callers", 303)

    async def back_up(visit: Visit, _form: Mapping[str, str]) -> Response:
        return Passed(visit.request, "/admin/backup", visit.session.key)

    routes.shows("/console/system", show)
    routes.acts("/console/system/keys", make)
    routes.acts("/console/system/keys/revoke", revoke)
    routes.acts("/console/system/backup", back_up)
    return routes


async def _page(routes: Screen, visit: Visit, status: int = 200, **values: Any) -> Response:
    """Render the screen: all of it for a key with the scope admin, for others what they may do."""
    level = visit.request.query_params.get("level", "info")
    facts: dict[str, Any] = {"keys": None, "settings": (), "charts": (), "log": None}
    if visit.session.may("admin"):
        keys, settings, history, log = await asyncio.gather(
            visit.api.get("/admin/keys"),
            visit.api.get("/admin/settings"),
            visit.api.get("/admin/history"),
            visit.api.get("/admin/log", {"level": level if level in _LEVELS else "info", "limit": _LINES}),
        )
        # Of a single moment there is no line to draw.
        drawn = charts(history) if len(history["ended"]) > 1 else ()
        valid = [key for key in keys["keys"] if not key["revoked"]]
        facts = {
            "keys": keys,
            "valid_keys": valid,
            "has_admin": any("admin" in key["scopes"] for key in valid),
            "settings": settings["settings"],
            "charts": drawn,
            "log": log,
        }
    facts |= {"scopes": SCOPES, "purposes": _PURPOSES, "limits": _LIMITS, "level": level}
    shown: dict[str, Any] = {"problem": None, "form": {}, "made": None} | values
    return await routes.pages.render(visit, "system.html", status, screen=routes.name, **facts, **shown)


def _wanted(form: Mapping[str, str]) -> dict[str, Any]:
    """Return the body of the call that makes the key of the form."""
    limits = {name: int(form[name]) for name in _LIMITS if form.get(name, "").isdecimal()}
    return {
        "name": form.get("name", "").strip(),
        "scopes": [scope for scope in SCOPES if form.get(f"scope_{scope}")],
        "limits": limits,
        "close_service": form.get("close_service") == "yes",
    }
