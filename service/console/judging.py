"""A person's word on one passage, sent as anybody else would send it."""

from collections.abc import Mapping

from service.console.pages import Visit
from service.console.public_api import ApiError

# Who judged at a service without keys.
_NOBODY = "console"


async def judge(visit: Visit, form: Mapping[str, str]) -> None:
    """Send or take back the judgement in a form: `query`, `document`, `collection`, and `verdict`, good, bad or none.

    Raises ApiError.
    """
    pair = {name: form.get(name, "") for name in ("query", "document", "collection")}
    by = visit.session.name or _NOBODY
    verdict = form.get("verdict")
    if verdict == "none":
        await visit.api.call("DELETE", "/admin/judgements", params={**pair, "source": "person", "by": by})
    elif verdict in ("good", "bad"):
        judgement = {**pair, "good": verdict == "good", "source": "person", "by": by}
        await visit.api.post("/admin/judgements", {"judgements": [judgement]})
    else:
        raise ApiError(422, "invalid_request", "a verdict is good, bad or none: use the buttons of a page", "verdict")


async def verdicts(visit: Visit, query: str, collection: str) -> dict[str, bool]:
    """Return who is judged good or bad for the query; a person's word counts more than any other. Raises ApiError."""
    if not visit.session.may("admin"):
        return {}
    conditions = {"query": query, "collection": collection}
    listed = (await visit.api.get("/admin/judgements", conditions))["judgements"]
    ordered = sorted((said for said in listed if not said["stale"]), key=lambda said: said["source"] == "person")
    return {said["document"]: said["good"] for said in ordered}
