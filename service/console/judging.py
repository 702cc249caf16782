"""A person's word on one passage, sent as anybody else would send it, and what was there before, to restore it."""

import json
from collections.abc import Mapping
from typing import Any

from service.console.pages import Visit
from service.console.public_api import ApiError

# Questions that may be trained on with which a large gain shows (docs/judgements.md).
VERDICT_NEEDS = 60
# Who judged at a service without keys.
_NOBODY = "console"
_PAIR = ("query", "document", "collection")
# What the API notes of a judgement by itself.
_BY_THE_SERVICE = ("side", "stale")


def judge_of(visit: Visit) -> str:
    """Return the name under which the person judges."""
    return visit.session.name or _NOBODY


async def judge(visit: Visit, form: Mapping[str, str]) -> None:
    """Send or take back the judgement in a form: `query`, `document`, `collection`, and `verdict`.

    A verdict is good, bad, unsure, which takes a former judgement back and closes the passage to this person, or none.
    With `again`, the passage is one on which this person has judged and was contradicted. Raises ApiError.
    """
    pair, by = _pair(form), judge_of(visit)
    verdict = form.get("verdict")
    if verdict in ("none", "unsure"):
        await visit.api.call("DELETE", "/admin/judgements", params={**pair, "source": "person", "by": by})
        if verdict == "unsure":
            await visit.api.post("/admin/judgements/unsure", {**pair, "by": by})
    elif verdict in ("good", "bad"):
        await _send(visit, form, {**pair, "good": verdict == "good", "source": "person", "by": by})
    else:
        raise ApiError(
            422, "invalid_request", "a verdict is good, bad, unsure or none: use the buttons of a page", "verdict"
        )


async def state_before(visit: Visit, form: Mapping[str, str]) -> dict[str, Any]:
    """Return what the person has said of the passage in a form so far, for `restore`. Raises ApiError.

    `judgement` is what the API lists, or None. `unsure`: the form knows, because its page has asked.
    """
    conditions = {**_pair(form), "source": "person", "by": judge_of(visit), "limit": 1}
    listed = (await visit.api.get("/admin/judgements", conditions))["judgements"]
    return {"judgement": listed[0] if listed else None, "unsure": form.get("said") == "unsure"}


async def restore(visit: Visit, form: Mapping[str, str], former: Mapping[str, Any]) -> str:
    """Bring back what `state_before` has returned, and return it as a verdict; "" for none. Raises ApiError.

    A stale judgement counts nowhere, but would count if it was sent again. So it is left out.
    """
    pair, by = _pair(form), judge_of(visit)
    if form.get("said") == "unsure" and not former["unsure"]:
        await visit.api.call("DELETE", "/admin/judgements/unsure", params={**pair, "by": by})
    judgement = former["judgement"]
    if judgement is None or judgement["stale"]:
        await visit.api.call("DELETE", "/admin/judgements", params={**pair, "source": "person", "by": by})
        return "unsure" if former["unsure"] else ""
    await _send(visit, form, {name: value for name, value in judgement.items() if name not in _BY_THE_SERVICE})
    return "good" if judgement["good"] else "bad"


def read_history(text: str) -> list[dict[str, Any]]:
    """Return the states of a passage that its form holds, the latest last. Raises ApiError unless they are some."""
    try:
        history = json.loads(text or "[]")
        if all({"judgement", "unsure"} <= set(state) for state in history):
            return list(history)
    except (ValueError, TypeError):
        pass
    raise ApiError(422, "invalid_request", "this form is damaged: load the page again", "history")


def _pair(form: Mapping[str, str]) -> dict[str, str]:
    return {name: form.get(name, "") for name in _PAIR}


async def _send(visit: Visit, form: Mapping[str, str], judgement: Mapping[str, Any]) -> None:
    """Send a judgement, in place of a former one.

    A word that is said again keeps its time. To be the last word it is taken back first, so that a passage on which
    people disagree waits for the others.
    """
    if form.get("again"):
        conditions = {**_pair(form), "source": "person", "by": judgement["by"]}
        await visit.api.call("DELETE", "/admin/judgements", params=conditions)
    await visit.api.post("/admin/judgements", {"judgements": [judgement]})


async def question_counts(visit: Visit) -> dict[str, int]:
    """Return the judged questions by their use. Raises ApiError."""
    return dict(await visit.api.get("/admin/judgements/counts"))


async def verdicts(visit: Visit, query: str, collection: str) -> dict[str, bool]:
    """Return who is judged good or bad for the query; a person's word counts more than any other. Raises ApiError.

    Whoever may only judge sees what that person has said.
    """
    if not visit.session.may("judge"):
        return {}
    conditions = {"query": query, "collection": collection}
    listed = (await visit.api.get("/admin/judgements", conditions))["judgements"]
    ordered = sorted((said for said in listed if not said["stale"]), key=lambda said: said["source"] == "person")
    return {said["document"]: said["good"] for said in ordered}
