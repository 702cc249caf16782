"""Checkpoints on the screen of models: the list, one with its lineage and files, upload, note."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import Response

from service.console.pages import Visit
from service.console.public_api import ApiError
from service.console.screen import Screen
from service.console.screens import model_effects
from service.console.screens.proof import proof
from service.console.uploads import Upload

Answer = Mapping[str, Any]
_LIST = "models/checkpoints"


def users(checkpoint: Answer, generations: Sequence[Answer], reranker: Answer | None) -> list[str]:
    """Return what needs a checkpoint, in words: generations that are not released, and the reranker."""
    model = checkpoint.get("model")
    used = [
        "the reload under way" if each.get("generation") is None else f"generation {each['generation']}"
        for each in generations
        if each["state"] != "released" and each["model"] in (model, checkpoint["name"])
    ]
    return [*used, "the reranker"] if reranker is not None and reranker["model"] == model else used


def origin(lineage: Answer) -> dict[str, Any]:
    """Return where a checkpoint comes from, as far as its lineage says: base, queries, verdict and its rules."""
    base = lineage.get("base")
    data = lineage.get("data")
    queries = data.get("queries") if isinstance(data, Mapping) else None
    verdict = lineage.get("verdict")
    rules = verdict.get("rules") if isinstance(verdict, Mapping) else None
    return {
        "base": base.get("id") if isinstance(base, Mapping) else base,
        "queries": queries.get("train") if isinstance(queries, Mapping) else None,
        "verdict": verdict.get("outcome") if isinstance(verdict, Mapping) else verdict,
        "rules": [rule for rule in rules if isinstance(rule, Mapping)] if isinstance(rules, list) else [],
    }


def add(routes: Screen) -> None:
    """Add the routes of checkpoints to the screen."""

    async def show(visit: Visit) -> Response:
        checkpoints = await read_all(visit)
        return await routes.pages.render(visit, "models_checkpoints.html", screen=routes.name, checkpoints=checkpoints)

    async def show_one(visit: Visit) -> Response:
        checkpoint = await read(visit, visit.request.path_params["name"])
        return await routes.pages.render(visit, "models_checkpoint.html", screen=routes.name, checkpoint=checkpoint)

    async def note(visit: Visit, form: Mapping[str, str]) -> Response:
        name = visit.request.path_params["name"]
        body = {"note": form.get("note", "").strip() or None}
        await visit.api.call("PUT", f"/admin/models/{quote(name, safe='')}/note", body=body)
        return routes.pages.lead(f"/console/{_LIST}/{quote(name, safe='')}")

    async def take(visit: Visit, upload: Upload) -> Response:
        name = upload.fields.get("name", "").strip() or upload.filename.rpartition("/")[2].removesuffix(".zip")
        if "/" in name:
            raise ApiError(422, "invalid_request", "a name has no slash: use letters, digits, '.', '_' and '-'", "name")
        headers = {"Content-Type": "application/zip"}
        if upload.size is not None:
            # With it the API refuses what the disk has no room for before it comes.
            headers["Content-Length"] = str(upload.size)
        await visit.api.raw("PUT", f"/admin/models/{quote(name, safe='')}", content=upload.parts, headers=headers)
        return routes.pages.lead("/console/models/reload", f"?{urlencode({'model': name})}")

    routes.shows(f"/console/{_LIST}", show)
    routes.takes(f"/console/{_LIST}", take)
    routes.shows(f"/console/{_LIST}/{{name}}", show_one)
    routes.acts(f"/console/{_LIST}/{{name}}/note", note)


async def read_all(visit: Visit) -> list[dict[str, Any]]:
    """Return all checkpoints as `_described` does. Raises ApiError."""
    checkpoints = (await visit.api.get("/admin/models"))["models"]
    listed = await visit.api.get("/admin/generations")
    return [_described(checkpoint, listed) for checkpoint in checkpoints]


async def read(visit: Visit, name: str) -> dict[str, Any]:
    """Return a checkpoint as `_described` does. Raises ApiError."""
    checkpoint = await visit.api.get(f"/admin/models/{quote(name, safe='')}")
    return _described(checkpoint, await visit.api.get("/admin/generations"))


def _described(checkpoint: Answer, listed: Answer) -> dict[str, Any]:
    """Return a checkpoint with what a page says of it besides: its origin, proof, size in words, and users.

    `listed` is the answer of `GET /admin/generations`.
    """
    lineage = checkpoint.get("lineage", {})
    return {
        **checkpoint,
        "origin": origin(lineage),
        "proof": proof(lineage),
        "users": users(checkpoint, listed["generations"], listed["reranker"]),
        "in_words": model_effects.size(checkpoint["size"]) if "size" in checkpoint else None,
    }
