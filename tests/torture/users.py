"""What users do: they search, say what they made of the answers, judge documents, and ask to be forgotten.

Each actor has names that no other one has, so that what becomes of a user's events follows from the order of one
actor's requests. Some events are about the search of another actor, and are forgotten with that one's user, too.
"""

from collections.abc import Sequence
from typing import Any

from tests.torture.actors import WORDS, Caller, listed, read_search
from tests.torture.history import Event, History
from tests.torture.plan import Action

_ABOUT_DOCUMENTS = ("click", "cite", "copy", "dwell", "good")


class User:
    """One actor, in one life."""

    def __init__(self, caller: Caller, history: History) -> None:
        self._caller = caller
        self._history = history

    def act(self, action: Action, mark: str) -> None:
        """Do the action; `mark` is like no other."""
        asked = action.asked
        match action.kind:
            case "ask":
                ask(self._caller, WORDS[asked["word"]], asked["k"], self._name(asked["name"]))
            case "feedback":
                search = self._search(own=asked["about"] == "own") if asked["about"] != "query" else None
                user = self._name(asked["name"]) if asked["named"] else None
                send(self._caller, events(action, mark, search, user), search)
            case "again":
                self._again()
            case "crowd":
                event = {"id": f"crowd-{asked['number']}", "action": "bad", "query": WORDS[asked["number"]]}
                send(self._caller, [event] * asked["count"], None)
            case "say":
                say(self._caller, WORDS[asked["word"]], asked["documents"], good=asked["good"])
            case "forget":
                forget(self._caller, self._name(asked["name"]))

    def _name(self, number: int) -> str:
        return f"{self._caller.name}-{('ann', 'bob')[number]}"

    def _search(self, *, own: bool) -> Event | None:
        """The last search that somebody was answered and that is kept."""
        for event in reversed(list(self._history.events)):
            if event.kind == "ask" and event.answered.get("search") and (not own or event.actor == self._caller.name):
                return event
        return None

    def _again(self) -> None:
        """Send the last events again, or those of which nobody said what became of them."""
        sent = [
            event for event in self._history.events if event.kind == "feedback" and event.actor == self._caller.name
        ]
        unheard = [event for event in sent if event.outcome == "unknown"]
        for event in (unheard or sent)[-1:]:
            send_again(self._caller, event)


def events(action: Action, mark: str, search: Event | None, user: str | None) -> list[dict[str, Any]]:
    """The events of an action: about the search, or if there is none, about a query. All are of one user."""
    asked = action.asked
    shown = [result[0] for result in search.answered["results"]] if search else []
    about = {"search": search.answered["search"]} if search else {"query": WORDS[asked["word"]]}
    made = []
    for number, (does, place) in enumerate(zip(asked["does"], asked["places"], strict=True)):
        event = {"id": f"{mark}.{number}", "action": does, **about} | ({"user": user} if user else {})
        if does in _ABOUT_DOCUMENTS:
            if shown:
                event["documents"] = [shown[place % len(shown)]]
            else:
                event["action"] = "bad"
        if event["action"] == "dwell":
            event["value"] = place
        made.append(event)
    return made


def ask(caller: Caller, query: str, k: int, user: str) -> Event:
    """A search by a user."""
    return caller.send(
        "ask",
        {"query": query, "k": k, "user": user},
        "POST",
        "/search",
        json={"query": query, "k": k, "mode": "dense", "user": user, "session": f"session of {user}"},
        read=lambda answer: read_search(answer) | {"search": answer.json().get("search")},
    )


def send(caller: Caller, sent: Sequence[dict[str, Any]], search: Event | None) -> Event:
    """Events, which the service takes as a whole or not at all. Those about a search are of its user, too."""
    users = {event["user"] for event in sent if "user" in event} | ({search.asked["user"]} if search else set())
    asked = {"events": list(sent), "users": sorted(users)}
    return caller.send("feedback", asked, "POST", "/feedback", json={"events": list(sent)})


def send_again(caller: Caller, event: Event) -> Event:
    """The same events once more."""
    return caller.send("feedback", event.asked, "POST", "/feedback", json={"events": event.asked["events"]})


def say(caller: Caller, query: str, documents: Sequence[str], *, good: bool) -> Event:
    """Judge the documents as a person."""
    judgements = [
        {"query": query, "document": document, "good": good, "source": "person", "by": caller.name}
        for document in documents
    ]
    said = {key_of(judgement): good for judgement in judgements}
    return caller.send("say", {"said": said}, "POST", "/admin/judgements", json={"judgements": judgements})


def forget(caller: Caller, user: str) -> Event:
    """Have a user forgotten."""
    return caller.send("forget", {"user": user}, "DELETE", f"/admin/users/{user}")


def said(caller: Caller) -> dict[str, bool]:
    """All that people said."""
    return {key_of(judgement): judgement["good"] for judgement in _judgements(caller, ["person"])}


def derived(caller: Caller) -> list[list[Any]]:
    """All that was derived from events, sorted."""
    rows = _judgements(caller, ["feedback", "click"])
    return sorted(
        [row["collection"], row["query"], row["document"], row["good"], round(row["weight"], 6), row["source"]]
        for row in rows
    )


def key_of(judgement: dict[str, Any]) -> str:
    """Which judgements take the place of each other."""
    return f"{judgement['query']}|{judgement['document']}|{judgement['by']}"


def _judgements(caller: Caller, sources: Sequence[str]) -> list[dict[str, Any]]:
    return listed(caller, "judgements", "/admin/judgements", {"source": list(sources)})
