"""Changes of the model: reload, put live, cancel, withdraw, roll back, delete. Each is confirmed on its own page."""

from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import quote

from starlette.responses import Response

from service.console.confirmation import Choice, Confirmation
from service.console.pages import Visit
from service.console.public_api import ApiError
from service.console.screen import Screen
from service.console.screens import checkpoints, model_effects
from service.console.typed_numbers import typed_number

_BACK = "models"
_SHADOWS = {
    "": "Put it live as soon as it is built",
    "0.1": "Keep it in the shadow, on a tenth of the searches",
    "0.5": "Keep it in the shadow, on half of the searches",
    "1": "Keep it in the shadow, on every search",
}


def add(routes: Screen) -> None:
    """Add the routes of changes to the screen."""
    for name, change in (
        ("reload", _Reload()),
        ("rollback", _Rollback()),
        ("activate", _Activation()),
        ("cancel", _Cancellation()),
        ("delete", _Deletion()),
    ):
        _add(routes, f"models/{name}", change)


class _Change(Protocol):
    """A change that is asked about, and then made. `wanted` are the fields of an address or of a form."""

    async def question(self, visit: Visit, wanted: Mapping[str, str], action: str) -> Confirmation: ...
    async def make(self, visit: Visit, wanted: Mapping[str, str]) -> None: ...


def _add(routes: Screen, action: str, change: _Change) -> None:
    async def ask(visit: Visit) -> Response:
        question = await change.question(visit, visit.request.query_params, action)
        return await question.ask(routes.pages, visit, routes.name, _BACK)

    async def make(visit: Visit, form: Mapping[str, str]) -> Response:
        try:
            await change.make(visit, form)
        except ApiError as error:
            if error.status not in (409, 422):
                raise
            # What was refused can be asked for in another way: by force, or after another reload.
            question = await change.question(visit, form, action)
            return await question.ask(routes.pages, visit, routes.name, _BACK, error)
        return routes.pages.lead(f"/console/{_BACK}")

    routes.shows(f"/console/{action}", ask)
    routes.acts(f"/console/{action}", make)


class _Reload:
    async def question(self, visit: Visit, wanted: Mapping[str, str], action: str) -> Confirmation:
        name = wanted.get("model", "")
        info = await visit.api.get("/info")
        checkpoint = await checkpoints.read(visit, name)
        title = f"Reload {name}"
        if "problem" in checkpoint:
            return Confirmation(title, [f"{name} cannot be reloaded: {checkpoint['problem']}"], action, None)
        running = info["reload"]
        if running is not None:
            effects = [f"A reload of {running['model']} is running: wait for it, or cancel it first."]
            return Confirmation(title, effects, action, None)
        fields = {"model": name, "kind": checkpoint["kind"]}
        if checkpoint["kind"] == "reranker":
            effects = model_effects.of_reranker(checkpoint, info["reranker"])
            by_default = Choice("by_default", "Rerank every search that does not say otherwise")
            return Confirmation(title, effects, action, f"Rerank with {name}", fields, [by_default, _force(wanted)])
        generations = (await visit.api.get("/admin/generations"))["generations"]
        jobs = (await visit.api.get("/admin/jobs"))["jobs"]
        effects = model_effects.of_reload(checkpoint, info, generations, jobs)
        if checkpoint["model"] == info["model"]:
            return Confirmation(title, effects, action, None)
        shadow = Choice("shadow", "When it is built", _SHADOWS, wanted.get("shadow", ""))
        return Confirmation(title, effects, action, f"Reload {name}", fields, [shadow, _force(wanted)])

    async def make(self, visit: Visit, wanted: Mapping[str, str]) -> None:
        force = wanted.get("force") == "yes"
        if wanted.get("kind") == "reranker":
            by_default = wanted.get("by_default") == "yes"
            body: dict[str, Any] = {"reranker": wanted.get("model", ""), "by_default": by_default, "force": force}
        else:
            body = {"model": wanted.get("model", ""), "force": force, "shadow": _share(wanted.get("shadow", ""))}
        await visit.api.post("/admin/reload", body)


class _Rollback:
    async def question(self, visit: Visit, wanted: Mapping[str, str], action: str) -> Confirmation:
        if wanted.get("reranker") == "yes":
            effects = ["The reranker of before reranks again. Before the first one there was none: then nothing does."]
            title = "Return to the former reranker"
            return Confirmation(title, effects, action, title, {"reranker": "yes"})
        info = await visit.api.get("/info")
        plan = await visit.api.get("/admin/rollback", {"generation": wanted.get("generation") or None})
        number = plan["generation"]
        title = f"Roll back to generation {number}"
        # The form names the generation, so that it leads nowhere else if somebody has been faster.
        fields = {"generation": str(number)}
        button = None if plan["state"] == "active" else title
        return Confirmation(title, model_effects.of_rollback(plan, info), action, button, fields)

    async def make(self, visit: Visit, wanted: Mapping[str, str]) -> None:
        number = wanted.get("generation", "")
        body = {"reranker": True} if wanted.get("reranker") == "yes" else {"generation": _number(number)}
        await visit.api.post("/admin/rollback", body)


class _Activation:
    async def question(self, visit: Visit, wanted: Mapping[str, str], action: str) -> Confirmation:
        info = await visit.api.get("/info")
        generations = (await visit.api.get("/admin/generations"))["generations"]
        number = next((each["generation"] for each in generations if each["state"] == "shadow"), None)
        if number is None or info["reload"] is None:
            return Confirmation(
                "Put the generation in the shadow live", ["No generation is in the shadow any more."], action, None
            )
        title = f"Put generation {number} live"
        effects = model_effects.of_activation(info["reload"], info, number)
        warning = model_effects.loss(info["reload"].get("judged"))
        return Confirmation(title, effects, action, title, choices=[_force(wanted)], warning=warning)

    async def make(self, visit: Visit, wanted: Mapping[str, str]) -> None:
        await visit.api.post("/admin/activate", {"force": wanted.get("force") == "yes"})


class _Cancellation:
    async def question(self, visit: Visit, wanted: Mapping[str, str], action: str) -> Confirmation:
        job = await visit.api.get(_job(wanted))
        if job["state"] not in ("queued", "running"):
            effects = [f"The reload of {job['model']} is over ({job['state']}): there is nothing to cancel."]
            return Confirmation("Cancel the reload", effects, action, None)
        shadow = job["stage"] == "shadow"
        title = "Withdraw the generation in the shadow" if shadow else "Cancel the reload"
        effects = model_effects.of_cancellation(job)
        return Confirmation(title, effects, action, title, {"job": job["id"]}, removes=True)

    async def make(self, visit: Visit, wanted: Mapping[str, str]) -> None:
        await visit.api.call("DELETE", _job(wanted))


class _Deletion:
    async def question(self, visit: Visit, wanted: Mapping[str, str], action: str) -> Confirmation:
        name = wanted.get("name", "")
        checkpoint = await checkpoints.read(visit, name)
        effects = model_effects.of_deletion(checkpoint, checkpoint["users"])
        button = None if checkpoint["users"] or checkpoint["source"] == "bundled" else f"Delete {name}"
        return Confirmation(f"Delete {name}", effects, action, button, {"name": name}, removes=True)

    async def make(self, visit: Visit, wanted: Mapping[str, str]) -> None:
        await visit.api.call("DELETE", f"/admin/models/{quote(wanted.get('name', ''), safe='')}")


def _force(wanted: Mapping[str, str]) -> Choice:
    return Choice("force", "Put it live even if it is worse on the judged queries", chosen=wanted.get("force", ""))


def _job(wanted: Mapping[str, str]) -> str:
    return f"/admin/jobs/{quote(wanted.get('job', ''), safe='')}"


def _share(text: str) -> float | None:
    """Return the share of searches in a form; None: it is put live at once. Raises ApiError."""
    try:
        return float(text) if text else None
    except ValueError as error:
        raise ApiError(422, "invalid_request", "a share is a number from 0 to 1: choose one of the list") from error


def _number(text: str) -> int:
    """Return the number of a generation in a form. Raises ApiError."""
    number = typed_number(text)
    if number is None:
        raise ApiError(422, "invalid_request", "a generation has a number: choose one of the line")
    return number
