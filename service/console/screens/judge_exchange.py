"""Import and export of judgements, a part of the screen that judges."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.responses import Response, StreamingResponse

from service.console.exchange import exported, format_of, read
from service.console.judging import judge_of, question_counts
from service.console.pages import Visit
from service.console.public_api import ApiError
from service.console.screen import Screen

_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
_PROVENANCE = "imported at the console"
# Judgements of documents that are not there, by which a mistyped id or collection is seen.
_EXAMPLES = 3


def add(routes: Screen) -> None:
    """Add the routes to those of the screen."""

    async def show(visit: Visit) -> Response:
        if not visit.session.may("admin"):
            await visit.api.get("/admin/judgements", {"limit": 1})
        return await routes.pages.render(visit, "judge_exchange.html", screen=routes.name, **_asked({}))

    async def imported(visit: Visit, form: Mapping[str, str]) -> Response:
        shown = _asked(form)
        status = 200
        try:
            judgements = read(shown["text"])
            if shown["whose"] == "person":
                judgements = [{**judgement, "source": "person", "by": judge_of(visit)} for judgement in judgements]
            else:
                judgements = [{"provenance": _PROVENANCE, **judgement} for judgement in judgements]
            if shown["collection"]:
                judgements = [{"collection": shown["collection"], **judgement} for judgement in judgements]
            shown["outcome"] = await visit.api.post("/admin/judgements", {"judgements": judgements})
            shown["count"], shown["text"] = len(judgements), ""
            shown["counts"] = await question_counts(visit)
            if shown["outcome"]["unresolved"]:
                listed = await visit.api.get("/admin/judgements", {"unresolved": True, "limit": _EXAMPLES})
                shown["absent"] = listed["judgements"]
        except ApiError as error:
            if error.status in (401, 403, 503):
                raise
            shown["problem"], status = error, error.status
        return await routes.pages.render(visit, "judge_exchange.html", status, screen=routes.name, **shown)

    async def export(visit: Visit) -> Response:
        sent = visit.request.query_params
        form = format_of(sent.get("format"))
        pages = exported(
            visit.api, {"collection": sent.get("collection") or None, "source": sent.get("source") or None}, form
        )
        # What the API refuses is shown as a page, so the first part comes before the answer begins.
        first = await anext(pages)
        headers = {"Content-Disposition": f'attachment; filename="judgements.{form}"', "Cache-Control": "no-store"}
        return StreamingResponse(_with_first(first, pages), media_type=_TYPES[form], headers=headers)

    routes.shows("/console/judge/exchange", show)
    routes.acts("/console/judge/exchange", imported)
    routes.shows("/console/judge/export", export)


def _asked(form: Mapping[str, str]) -> dict[str, Any]:
    """Return what the page shows of a form, and of what came of it."""
    return {
        "text": form.get("text", ""),
        "whose": form.get("whose", "person"),
        "collection": form.get("collection", ""),
        "outcome": None,
        "counts": None,
        "absent": [],
        "problem": None,
        "count": 0,
    }


async def _with_first(first: str, rest: AsyncIterator[str]) -> AsyncIterator[str]:
    yield first
    async for part in rest:
        yield part
