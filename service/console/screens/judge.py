"""The screen that judges: what is worth a minute, a passage at a time or a list, blind to who found it."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from service.console.judging import (
    VERDICT_NEEDS,
    judge,
    judge_of,
    question_counts,
    read_history,
    restore,
    state_before,
)
from service.console.pages import Visit
from service.console.public_api import ApiError
from service.console.screen import Screen
from service.console.screens import judge_exchange

VIEWS = ("one", "list")
REASONS = {
    "bad": "a thumb down",
    "unjudged": "asked often, judged by nobody",
    "generations": "models disagree",
    "modes": "words and meaning disagree",
    "people": "people disagree",
}
# Questions that are fetched at a time. The API searches for at least 64 of them, however few are wanted.
_HAND = 5
# Former states of a passage that its form keeps for undoing.
_HISTORY = 10
# Seconds after which a gap between two verdicts is a break.
_BREAK = 120
# Most judgements of a day that pace is measured by: a page of the API.
_DAY = 1000


@dataclass(frozen=True, slots=True)
class Pile:
    """The part of the queue that an address asks for, and how it is shown."""

    collection: str | None = None
    reason: str | None = None
    view: str = "one"

    @classmethod
    def of(cls, sent: Mapping[str, str]) -> "Pile":
        """Read an address; what means nothing is ignored."""
        reason, view = sent.get("reason"), sent.get("view", "")
        return cls(
            collection=sent.get("collection") or None,
            reason=reason if reason in REASONS else None,
            view=view if view in VIEWS else "one",
        )

    def address(self, **changed: str | None) -> str:
        """Return the query of an address of this screen with some parts changed."""
        pile = replace(self, **changed)  # type: ignore[arg-type]
        parts = {
            "collection": pile.collection,
            "reason": pile.reason,
            "view": None if pile.view == "one" else pile.view,
        }
        return "?" + urlencode({name: value for name, value in parts.items() if value})


def screen(routes: Screen) -> Screen:
    """Add the routes of the screen."""
    queue, verdicts = _Queue(routes), _Verdicts(routes)
    routes.shows("/console/judge", queue.show)
    routes.shows("/console/judge/hand", queue.hand)
    routes.shows("/console/judge/progress", queue.progress)
    routes.shows("/console/judge/agreement", queue.agreement)
    routes.acts("/console/judge/guidelines", queue.write_guidelines)
    routes.acts("/console/judge/need", queue.write_need)
    routes.acts("/console/judge/verdict", verdicts.judge)
    routes.acts("/console/judge/undo", verdicts.undo)
    judge_exchange.add(routes)
    return routes


class _Queue:
    """The questions that wait, and what stands around them."""

    def __init__(self, routes: Screen) -> None:
        self._routes = routes

    async def show(self, visit: Visit) -> Response:
        """Show the screen, which fetches its questions and its progress when it is there."""
        return await self._routes.pages.render(
            visit,
            "judge.html",
            screen=self._routes.name,
            pile=Pile.of(visit.request.query_params),
            guidelines=await visit.api.get("/admin/guidelines"),
            reasons=REASONS,
        )

    async def hand(self, visit: Visit) -> Response:
        """Show some questions with their passages."""
        pile = Pile.of(visit.request.query_params)
        wanted = {"collection": pile.collection, "reason": pile.reason, "by": judge_of(visit), "limit": _HAND}
        part = partial(self._routes.pages.part, visit, "judge_hand.html", pile=pile)
        try:
            queue = await visit.api.get("/admin/judgements/queue", wanted)
        except ApiError as error:
            if error.status == 401:
                raise
            return part(error.status, questions=[], problem=error)
        questions = [shown(question, pile.reason) for question in queue["questions"]]
        return part(questions=questions, looked_at=queue["looked_at"], problem=None)

    async def progress(self, visit: Visit) -> Response:
        """Show how much the person judged today, how fast, and how far all together are."""
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        wanted = {"source": "person", "by": judge_of(visit), "since": midnight.isoformat(), "limit": _DAY}
        listed, counts = await asyncio.gather(visit.api.get("/admin/judgements", wanted), question_counts(visit))
        moments = [datetime.fromisoformat(judgement["at"]) for judgement in listed["judgements"]]
        return self._routes.pages.part(
            visit,
            "judge_progress.html",
            today=len(moments),
            is_all=listed["next"] is None,
            pace=pace(moments),
            counts=counts,
            needed=VERDICT_NEEDS,
        )

    async def agreement(self, visit: Visit) -> Response:
        """Show how far people agree.

        The API reads every judgement for it, so it is no part of the progress, which is shown after each verdict.
        """
        agreement = await visit.api.get("/admin/judgements/agreement")
        return self._routes.pages.part(visit, "judge_agreement.html", agreement=agreement)

    async def write_guidelines(self, visit: Visit, form: Mapping[str, str]) -> Response:
        """Keep the guidelines in a form."""
        await visit.api.call("PUT", "/admin/guidelines", body={"text": form.get("text", "").replace("\r\n", "\n")})
        return _back(visit, form)

    async def write_need(self, visit: Visit, form: Mapping[str, str]) -> Response:
        """Keep the need of a question. What the API refuses is shown beside the question, which keeps its place."""
        need = {name: form.get(name, "") for name in ("query", "collection", "text")}
        part = partial(self._routes.pages.part, visit, "judge_need.html", need={**need, "back": form.get("back", "")})
        try:
            await visit.api.call("PUT", "/admin/judgements/need", body=need)
        except ApiError as error:
            if error.status == 401 or not visit.request.headers.get("HX-Request"):
                raise
            return part(error.status, problem=error)
        return part(problem=None) if visit.request.headers.get("HX-Request") else _back(visit, form)


class _Verdicts:
    """Verdicts on passages. What the API refuses is shown beside the passage, which keeps its place."""

    def __init__(self, routes: Screen) -> None:
        self._pages = routes.pages

    async def judge(self, visit: Visit, form: Mapping[str, str]) -> Response:
        """Send a verdict, and keep in the form what was there before."""
        try:
            history = read_history(form.get("history", ""))
            former = await state_before(visit, form)
            await judge(visit, form)
        except ApiError as error:
            return self._refused(visit, form, error)
        return self._buttons(visit, form, form["verdict"], [*history, former])

    async def undo(self, visit: Visit, form: Mapping[str, str]) -> Response:
        """Bring back what was there before the verdict; without a former state, nothing was."""
        try:
            *history, former = read_history(form.get("history", "")) or [{"judgement": None, "unsure": False}]
            said = await restore(visit, form, former)
        except ApiError as error:
            return self._refused(visit, form, error)
        return self._buttons(visit, form, said, history)

    def _buttons(self, visit: Visit, form: Mapping[str, str], said: str, history: Sequence[Any]) -> Response:
        """The buttons of a passage; the whole screen for a browser without scripts."""
        if not visit.request.headers.get("HX-Request"):
            return _back(visit, form)
        kept = json.dumps(history[-_HISTORY:], ensure_ascii=False)
        return self._pages.part(visit, "judge_verdict.html", pair=form, said=said, history=kept, problem=None)

    def _refused(self, visit: Visit, form: Mapping[str, str], error: ApiError) -> Response:
        if error.status == 401 or not visit.request.headers.get("HX-Request"):
            raise error
        shown = {"pair": form, "said": form.get("said", ""), "history": form.get("history", ""), "problem": error}
        return self._pages.part(visit, "judge_verdict.html", error.status, **shown)


def _back(visit: Visit, form: Mapping[str, str]) -> Response:
    """Lead back to the screen as the form's page showed it."""
    return RedirectResponse(f"{visit.request.url.path.rpartition('/')[0]}{form.get('back', '')}", 303)


def shown(question: Mapping[str, Any], reason: str | None) -> dict[str, Any]:
    """Return a question of the queue as the page has it: of disagreements only the passages that people disagree on."""
    passages = question["passages"]
    if reason == "people":
        passages = [passage for passage in passages if passage["disagree"] and passage["open"]]
    waiting = sum(passage["open"] for passage in passages)
    return {**question, "why": why(question), "passages": passages, "open": waiting}


def why(question: Mapping[str, Any]) -> list[str]:
    """Return the reasons for which a question of the queue waits, for people."""
    reasons = []
    if users := question["complaints"]:
        reasons.append(f"{users} {'user' if users == 1 else 'users'} gave a thumb down")
    if question["searches"] > 1:
        reasons.append(f"asked {question['searches']:,} times")
    if "unjudged" in question["reasons"]:
        reasons.append("judged by nobody")
    reasons += [REASONS[reason] for reason in ("generations", "modes", "people") if reason in question["reasons"]]
    return reasons


def pace(moments: Sequence[datetime]) -> float | None:
    """Return the seconds that a verdict takes, breaks left out; None before the second one."""
    ordered = sorted(moments)
    gaps = [(later - former).total_seconds() for former, later in pairwise(ordered)]
    working = [gap for gap in gaps if gap <= _BREAK]
    return sum(working) / len(working) if working else None
