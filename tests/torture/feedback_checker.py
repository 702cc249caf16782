"""What is wrong with a history as far as feedback goes.

An event that was acknowledged is stored once, until one of its users is forgotten: the one who sent it, or whose search
it is about. Events of one request are stored together. What people said is a register for each query, document and
person.
"""

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.torture.history import Event
from tests.torture.register import Register, State, never_written

Violation = tuple[Event, str]

# After these the search log may have stopped, and a search that waits to be written may be lost.
_STOP_THE_LOG = (
    "disk-full", "failing-writes", "failing-syncs", "short-writes", "failing-reads", "memory", "clock", "feedback-full",
)  # fmt: skip


def violations(events: Sequence[Event]) -> list[Violation]:
    """Return each event at fault, with what is wrong about it. `events` are in the order in which they ended."""
    return list(_FeedbackChecker(events).run())


@dataclass(frozen=True)
class Troubles:
    """The times in which nothing but feedback may fail."""

    times: Sequence[tuple[float, float]]

    def meet(self, event: Event) -> bool:
        """Whether the event was in one of them."""
        return any(start <= event.end and event.start <= end + 1 for start, end in self.times)


def troubles(events: Sequence[Event]) -> Troubles:
    """Return when the database of feedback was harmed, or its disk was full."""
    times = [(event.start, event.end) for event in events if _is_fault(event, ("feedback-full",))]
    mended = [event.end for event in events if event.kind == "mended"]
    spoiled = [event.start for event in events if event.kind == "spoiled"]
    return Troubles(
        times + [(start, min((end for end in mended if end > start), default=math.inf)) for start in spoiled]
    )


def _is_fault(event: Event, kinds: Sequence[str]) -> bool:
    return event.kind == "fault" and event.answered["kind"] in kinds


@dataclass
class _Sent:
    """One event of users, and the requests in which it was sent."""

    content: dict[str, Any]
    users: frozenset[str]
    requests: list[Event] = field(default_factory=list)


class _FeedbackChecker:
    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events
        self._ends = sorted(event.end for event in events if event.kind == "ended")
        # From a harm on, nothing is known of the database until the operator has moved it away.
        self._turns = sorted(event.start for event in events if event.kind in ("spoiled", "mended"))
        self._asks = {
            event.answered["search"]: event
            for event in events
            if event.kind == "ask" and event.outcome == "acknowledged" and event.answered.get("search")
        }
        self._forgets = [event for event in events if event.kind == "forget" and event.outcome != "refused"]
        self._requests = [event for event in events if event.kind == "feedback" and event.outcome != "refused"]
        self._sent: dict[str, _Sent] = {}
        for request in self._requests:
            for content in request.asked["events"]:
                sent = self._sent.setdefault(content["id"], _Sent(content, frozenset(request.asked["users"])))
                if request not in sent.requests:
                    sent.requests.append(request)

    def run(self) -> Iterator[Violation]:
        for event in self._events:
            if event.kind == "events":
                yield from self._stored(event)
            elif event.kind == "derived" and event.answered["derived"] != event.answered["expected"]:
                yield event, f"derived are {event.answered['derived']}, and follow: {event.answered['expected']}"
            elif event.kind == "feedback" and event.outcome == "acknowledged":
                count = event.answered["accepted"] + event.answered["repeated"]
                if count != len(event.asked["events"]):
                    yield event, f"{count} of {len(event.asked['events'])} events were accepted or repeated"
            elif event.kind == "feedback" and event.status == 404:
                yield from self._unknown_search(event)
            elif event.kind == "forget" and event.status == 404:
                yield from self._nobody(event)
            elif event.kind == "ask" and event.outcome == "acknowledged":
                yield from self._kept(event)
        yield from self._counted_twice()
        yield from self._said()

    def _stored(self, seen: Event) -> Iterator[Violation]:
        """Hold what is stored against what was sent."""
        if "error" in seen.answered:
            yield seen, f"the events cannot be read: {seen.answered['error']}"
            return
        rows = seen.answered["events"]
        for identity, times in Counter(row["id"] for row in rows).items():
            if times > 1:
                yield seen, f"the event {identity} is stored {times} times"
        stored = {row["id"]: row for row in rows}
        for identity, row in stored.items():
            content = self._sent[identity].content if identity in self._sent else None
            if content is None:
                yield seen, f"the event {identity} was never sent, or was refused"
            elif [row["action"], row["documents"]] != [content["action"], content.get("documents", [])]:
                yield seen, f"the event {identity} is {row}, and was sent as {content}"
        for identity, sent in self._sent.items():
            if identity in stored and not self._may_be_there(sent, seen.start):
                yield seen, f"the event {identity} is stored, and was lost or forgotten with {sorted(sent.users)}"
            if identity not in stored and self._must_be_there(sent, seen.start):
                yield seen, f"the event {identity} was acknowledged, and is not stored"
        yield from self._halves(seen, stored)
        yield from self._clicks(seen, stored)

    def _halves(self, seen: Event, stored: Mapping[str, Any]) -> Iterator[Violation]:
        for request in self._requests:
            ids = {content["id"] for content in request.asked["events"]}
            there = [identity for identity in ids if identity in stored]
            if there and len(there) < len(ids) and request.end <= seen.start:
                yield request, f"of its events only {sorted(there)} are stored, as event {seen.number} shows"

    def _clicks(self, seen: Event, stored: Mapping[str, Any]) -> Iterator[Violation]:
        """A search counts a click on a document once, however many events say so."""
        clicked = {
            (row["search"], document)
            for row in stored.values()
            if row["action"] == "click" and row["search"] in self._asks
            for document in row["documents"]
            if document in {result[0] for result in self._asks[row["search"]].answered["results"]}
        }
        expected = Counter(f"{self._asks[search].asked['query']}|{document}" for search, document in clicked)
        if expected != Counter(seen.answered["clicks"]):
            yield seen, f"clicks are counted as {seen.answered['clicks']}, and were {dict(expected)}"

    def _must_be_there(self, sent: _Sent, at: float) -> bool:
        """Whether one request was acknowledged, and no user forgotten who may have been forgotten after it."""
        return any(
            request.outcome == "acknowledged"
            and request.end <= at
            and self._era(request.start) == self._era(at)
            and self._era(at) % 2 == 0
            and not any(
                forget.start <= at and self._over(forget) > request.start
                for forget in self._forgets
                if forget.asked["user"] in sent.users
            )
            for request in sent.requests
        )

    def _may_be_there(self, sent: _Sent, at: float) -> bool:
        """Whether one request may have been carried out after the last time that its users were forgotten for sure."""
        forgotten = max(
            (
                forget.start
                for forget in self._forgets
                if forget.asked["user"] in sent.users and forget.outcome == "acknowledged" and forget.end <= at
            ),
            default=-math.inf,
        )
        return any(
            request.start <= at and self._over(request) > forgotten and self._era(request.start) == self._era(at)
            for request in sent.requests
        )

    def _over(self, event: Event) -> float:
        """The time after which a request changes nothing more: that of its answer, or else the end of the process."""
        if event.outcome == "acknowledged":
            return event.end
        place = bisect_right(self._ends, event.start)
        return self._ends[place] if place < len(self._ends) else math.inf

    def _era(self, at: float) -> int:
        """How often the database was harmed or begun again by then; an odd number while it is harmed."""
        return bisect_right(self._turns, at)

    def _kept(self, ask: Event) -> Iterator[Violation]:
        if not ask.answered["search"] and not self._log_may_have_stopped(ask):
            yield ask, "the search is not kept"

    def _unknown_search(self, event: Event) -> Iterator[Violation]:
        """A search may be unknown after a crash, and if its user was forgotten or the log had stopped."""
        param = event.answered.get("error", {}).get("param") or ""
        if not param.endswith("search"):
            return
        ask = self._asks[event.asked["events"][0]["search"]]
        forgotten = any(
            forget.asked["user"] == ask.asked["user"] and forget.start <= event.end and self._over(forget) > ask.start
            for forget in self._forgets
        )
        same_life = bisect_right(self._ends, ask.end) == bisect_right(self._ends, event.start)
        if same_life and not forgotten and not self._log_may_have_stopped(event):
            yield event, f"the search of event {ask.number} is not known"

    def _nobody(self, event: Event) -> Iterator[Violation]:
        """Nothing of a user was found, of whom an event is stored."""
        for identity, sent in self._sent.items():
            if event.asked["user"] in sent.users and self._must_be_there(sent, event.start):
                yield event, f"nothing of {event.asked['user']} was found, whose event {identity} was acknowledged"
                return

    def _log_may_have_stopped(self, event: Event) -> bool:
        """Whether something in the life of the event may have stopped the search log before it."""
        began = max((end for end in self._ends if end <= event.start), default=-math.inf)
        struck = any(
            _is_fault(fault, _STOP_THE_LOG) and began <= fault.end and fault.start <= event.end
            for fault in self._events
        )
        return struck or troubles(self._events).meet(event)

    def _counted_twice(self) -> Iterator[Violation]:
        """All answers to one request together accept no more events than it has, unless users were forgotten."""
        accepted = defaultdict[tuple[int, frozenset[str]], int](int)
        for request in self._requests:
            if request.outcome != "acknowledged" or self._era(request.start) % 2:
                continue
            ids = frozenset(content["id"] for content in request.asked["events"])
            key = (self._era(request.start), ids)
            accepted[key] += request.answered["accepted"]
            users = request.asked["users"]
            if accepted[key] > len(ids) and not any(forget.asked["user"] in users for forget in self._forgets):
                yield request, f"{accepted[key]} events of {len(ids)} were accepted in all"

    def _said(self) -> Iterator[Violation]:
        registers = defaultdict[str, Register](never_written)
        for event in sorted(self._events, key=lambda event: event.start):
            if event.kind == "say" and event.outcome != "refused":
                certain = event.outcome == "acknowledged"
                for key, good in event.asked["said"].items():
                    registers[key].states.append(State(good, event.start, event.end if certain else math.inf, certain))
        for listing in self._events:
            if listing.kind != "said":
                continue
            for key in registers.keys() | listing.answered.keys():
                possible = registers[key].possible(listing.start, listing.end)
                places = [place for place, good in possible.items() if good == listing.answered.get(key)]
                if places:
                    registers[key].see(listing.end, places[0])
                else:
                    said = listing.answered.get(key)
                    yield listing, f"a person's judgement of {key} is {said}, and may be {list(possible.values())}"
