"""What is wrong with a history. Knows the contract and nothing of the implementation.

Each document is a register that one writer writes, one request after the other; what is active is a register that the
operator writes (`register.py`). So is the active reranker, whose first state is that there is none. What becomes of
feedback is looked at in `feedback_checker.py`.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from tests.support.oracle import Oracle
from tests.torture import feedback_checker
from tests.torture.actors import NO_RERANKER
from tests.torture.history import RELOADS, Event, History
from tests.torture.register import Register, State, never_written
from tests.torture.world import RECOVERY_SECONDS

# Batches differ between the service and the oracle, and with them the last bits.
TOLERANCE = 1e-4
_WRITES = ("put", "bulk", "delete")
_LACKS = ("storage_failed", "insufficient_resources")
_FAULTY = ("disk-full", "failing-writes", "failing-syncs", "short-writes", "failing-reads", "memory")
# Whatever these do to it, nothing but feedback fails.
_OF_FEEDBACK = ("feedback", "forget")


@dataclass
class Activation:
    """A generation or a reranker that may be active, as far as known.

    The checkpoint's id, the generation's number, the checkpoint's name.
    """

    model: str | None = None
    number: int | None = None
    name: str | None = None

    def fits(self, model: str, number: int | None = None) -> bool:
        return (
            self.model in (None, model)
            and self.number in (None, number)
            and self.name in (None, model.partition("@")[0])
        )


def _uncertain(event: Event, start: float) -> State:
    return State(Activation(name=event.asked.get("model")), start, math.inf, False)


def check(history: History, oracle: Oracle) -> list[str]:
    """Every violation, in words."""
    return Checker(history.events, oracle).run()


class Checker:
    """Looks through one history.

    Several processes may have answered, each of which shows within `lag` seconds what the others do.
    """

    def __init__(self, events: Sequence[Event], oracle: Oracle, lag: float = 0.0) -> None:
        self._lag = lag
        self._events = sorted(events, key=lambda event: event.end)
        self._oracle = oracle
        self._found: list[str] = []
        self._numbers: dict[int, str] = {}
        # Who writes each document.
        self._writers: dict[str, str] = {}
        self._documents = self._registers()
        self._active = self._activations("reload", "rollback", Activation(None, 1))
        self._reranker = self._activations("reload-reranker", "rollback-reranker", Activation(NO_RERANKER))

    def run(self) -> list[str]:
        self._ask_oracle()
        self._check_answers()
        self._check_processes()
        for event in self._events:
            if event.kind in _RERANKED and event.status == 404:
                self._check_reranker(event, NO_RERANKER)
            if event.outcome != "acknowledged":
                continue
            match event.kind:
                case "list":
                    self._check_listing(event)
                case "list-after-loss":
                    self._check_prefix(event)
                case "search" | "ask":
                    self._check_search(event)
                case "reranked":
                    self._check_search(event)
                    self._check_reranked(event)
                case "rerank":
                    self._check_relevances(event, event.answered["reranker"], event.answered["scores"])
                case "embed":
                    self._check_embedding(event)
        for event, words in feedback_checker.violations(self._events):
            self._violation(event, words)
        return self._found

    def _ask_oracle(self) -> None:
        """For all vectors and scores that will be needed at once: one at a time they take longer than the episode."""
        answers = [event for event in self._events if event.kind in _BY_ENCODER and "header" in event.answered]
        texts = [state.value for register in self._documents.values() for state in register.states if state.value]
        embedded = [event.asked["text"] for event in answers if event.kind == "embed"]
        queries = [event.asked["query"] for event in answers if event.kind != "embed"]
        for model in {event.answered["header"][0] for event in answers} & self._oracle.checkpoints:
            self._oracle.windows(model, texts)
            self._oracle.documents(model, embedded)
            self._oracle.queries(model, queries)
        pairs = defaultdict[str, list[tuple[str, str]]](list)
        for event in self._events:
            if event.kind in _RERANKED and event.outcome == "acknowledged":
                pairs[reranker_of(event)] += [(event.asked["query"], text) for text in texts_of(event)]
        for reranker in pairs.keys() & self._oracle.rerankers:
            self._oracle.relevances(reranker, pairs[reranker])

    def _violation(self, event: Event, words: str) -> None:
        self._found.append(f"event {event.number} ({event.kind} by {event.actor} at {event.start:.3f}): {words}")

    def _registers(self) -> dict[str, Register]:
        """The registers of all documents."""
        registers: dict[str, Register] = defaultdict(partial(never_written, self._lag))
        for event in sorted(self._events, key=lambda event: event.start):
            if event.kind in _WRITES and event.outcome != "refused":
                for identity, value in written(event).items():
                    self._writers[identity] = event.actor
                    end = event.end if event.outcome == "acknowledged" else math.inf
                    registers[identity].states.append(State(value, event.start, end, event.outcome == "acknowledged"))
        return registers

    def _activations(self, reload: str, rollback: str, first: Activation) -> Register:
        """The register of what is active, which events of these two kinds write.

        A reload of one kind excludes one of the other kind.
        """
        states = [State(first, -math.inf, -math.inf, True)]
        unheard: list[Event] = []
        for event in sorted(self._events, key=lambda event: event.start):
            if event.kind in RELOADS and "id" in event.answered:
                # It was accepted, so no other runs.
                unheard = []
            if event.kind not in (reload, rollback) or event.outcome == "refused":
                continue
            if event.outcome == "acknowledged":
                model = event.answered.get("checkpoint") or event.answered.get("model")
                activation = Activation(model, event.answered.get("generation"))
                states.append(State(activation, event.start, event.end, True))
            else:
                states.append(_uncertain(event, event.start))
            if event.kind == reload and event.outcome == "unknown" and "id" not in event.answered:
                unheard.append(event)
            # One that nobody heard of again may end at any time.
            states += [_uncertain(other, event.start) for other in unheard if other is not event]
        return Register(states, self._lag)

    def _possible(self, event: Event, identity: str) -> dict[int, Any]:
        """The states of a document that a read may see."""
        follows = event.asked.get("own", False) and self._writers.get(identity) == event.actor
        return self._documents[identity].possible(event.start, event.end, event.replica, follows=follows)

    def _check_answers(self) -> None:
        """Statuses, forms of errors, and that connections break only when the process dies or has no memory."""
        faults = [event for event in self._events if event.kind == "fault" and event.answered["kind"] in _FAULTY]
        of_feedback = feedback_checker.troubles(self._events)
        deaths = [event for event in self._events if event.kind in ("ended", "terminated")]
        readies = [event.end for event in self._events if event.kind == "ready"]
        # Until the next one is ready there is nobody to connect to.
        breaks = [
            (death.start - 5, min((ready for ready in readies if ready > death.end), default=death.end))
            for death in deaths
        ]
        breaks += [(fault.start, fault.end) for fault in faults if fault.answered["kind"] == "memory"]
        for event in self._events:
            if event.actor == "nemesis" or event.kind in NOTES:
                continue
            if event.status == 0:
                if not any(begin <= event.end and event.start <= end for begin, end in breaks):
                    self._violation(event, f"the connection broke while the process lived: {event.answered}")
                continue
            if event.outcome == "acknowledged" or 200 <= event.status < 300:
                continue
            kind = self._check_form(event)
            if event.status >= 500:
                faulty = any(fault.start <= event.end and event.start <= fault.end + 1 for fault in faults)
                stopping = any(event.start <= death.end and event.end >= death.start - 1 for death in deaths)
                # An encoder that memory has broken stays so until the restart that /health asks for.
                starved = any(fault.start <= event.end and fault.answered["kind"] == "memory" for fault in faults)
                stated = event.status == 503 and (
                    event.kind in _AS_TEI
                    or (faulty and kind in _LACKS)
                    or (starved and kind == "encoder_failed")
                    or (stopping and kind == "not_ready")
                    or (event.kind in _OF_FEEDBACK and kind in _LACKS and of_feedback.meet(event))
                )
                if not stated:
                    self._violation(event, f"status {event.status}: {event.answered}")
            elif kind == "checkpoint_refused" or event.status not in EXPECTED.get(event.kind, ()):
                self._violation(event, f"status {event.status} is not to be expected here: {event.answered}")

    def _check_form(self, event: Event) -> str:
        """Return the type of the error that was answered; note a violation unless it has the contract's form."""
        error = event.answered.get("error")
        if event.kind in _AS_TEI:
            sound = isinstance(error, str) and "error_type" in event.answered
            kind = ""
        else:
            sound = isinstance(error, dict) and {"type", "message", "param"} <= error.keys()
            kind = error["type"] if sound and isinstance(error, dict) else ""
        if not sound:
            self._violation(event, f"status {event.status} without an error in the contract: {event.answered}")
        return kind

    def _check_processes(self) -> None:
        for event in self._events:
            if event.kind == "ready" and event.end - event.start > RECOVERY_SECONDS:
                self._violation(event, f"it was ready after {event.end - event.start:.1f} s")
            if event.kind == "terminated" and event.answered["status"] != 0:
                self._violation(event, f"it ended with {event.answered['status']} after SIGTERM")

    def _check_listing(self, event: Event) -> None:
        for identity in self._documents.keys() | event.answered.keys():
            self._observe(event, identity, event.answered.get(identity))
        self._check_batches(event)

    def _observe(self, event: Event, identity: str, value: str | None) -> None:
        """A read saw that value; note a violation unless it may have."""
        if identity not in self._documents:
            self._violation(event, f"{identity} was never written, and is there with {value!r}")
            return
        possible = self._possible(event, identity)
        places = [place for place, known in possible.items() if known == value]
        if not places:
            self._violation(event, f"{identity} is {value!r} and may be {list(possible.values())}")
        else:
            self._documents[identity].see(event.end, places[0], event.replica)

    def _check_batches(self, listing: Event) -> None:
        """Of each write whose outcome is unknown all documents are there or none; of a stream, the first ones."""
        for event in self._events:
            if event.kind not in _WRITES or event.outcome != "unknown" or event.end > listing.start:
                continue
            values = written(event)
            last = {
                identity: max(
                    (state for state in self._documents[identity].states if state.start < listing.start),
                    key=lambda state: state.start,
                )
                for identity in values
            }
            own = [identity for identity in values if last[identity].start == event.start]
            if event.kind == "delete":
                # Gone already, or never there: nothing can be told from those.
                own = [identity for identity in own if self._was_there(identity, event)]
            applied = [listing.answered.get(identity) == values[identity] for identity in own]
            if event.kind == "bulk":
                if applied != sorted(applied, reverse=True):
                    self._violation(event, "of the stream later lines are there and earlier ones are not")
            elif len(set(applied)) > 1:
                self._violation(
                    event, f"half applied, as event {listing.number} shows: {dict(zip(own, applied, strict=True))}"
                )

    def _was_there(self, identity: str, event: Event) -> bool:
        before = self._documents[identity].possible(event.start, event.start)
        return all(value is not None for value in list(before.values())[:1]) and len(before) <= 2

    def _check_prefix(self, event: Event) -> None:
        """The disk has lost the end of its log: what is left is what some earlier moment left, batch for batch."""
        survived: list[Event] = []
        lost: list[Event] = []
        for write in self._events:
            if write.kind not in _WRITES or write.outcome != "acknowledged":
                continue
            values = written(write)
            own = [
                identity
                for identity in values
                if self._documents[identity].states[-1].start == write.start and values[identity] is not None
            ]
            there = [event.answered.get(identity) == values[identity] for identity in own]
            if write.kind != "bulk" and len(set(there)) > 1:
                self._violation(write, "half of it survived the loss")
            if own:
                (survived if all(there) else lost).append(write)
        for early in lost:
            for late in survived:
                if early.end < late.start and early.kind != "bulk":
                    self._violation(early, f"was lost, and event {late.number}, which began after it, was not")
        for identity, value in event.answered.items():
            known = [state.value for state in self._documents[identity].states] if identity in self._documents else []
            if value not in known:
                self._violation(event, f"{identity} is {value!r}, which was never written")

    def _check_search(self, event: Event) -> None:
        header, body, results = event.answered["header"], event.answered["body"], event.answered["results"]
        if header != body:
            self._violation(event, f"headers say {header}, the body says {body}")
        self._check_generation(event, body[0], body[1])
        if body[0] not in self._oracle.checkpoints:
            return
        ids = [result[0] for result in results]
        # Those of the encoder, and those that decide the order: of a search that is not reranked the same.
        scores, order = [result[2] for result in results], [result[-1] for result in results]
        if len(set(ids)) < len(ids) or len(ids) > event.asked["k"]:
            self._violation(event, f"{len(ids)} results, {len(set(ids))} different ones, for k {event.asked['k']}")
        if any(later > earlier + TOLERANCE for earlier, later in pairwise(order)):
            self._violation(event, "results are not in the order of their scores")
        self._check_scores(event, body[0], results)
        # Before what is seen here is taken into account.
        self._check_completeness(event, body[0], set(ids), scores)
        for identity, text, *_ in results:
            self._observe(event, identity, text)

    def _check_scores(self, event: Event, model: str, results: list[list[Any]]) -> None:
        known = self._oracle.scores(model, event.asked["query"], [result[1] for result in results])
        for (identity, text, score, *_), expected in zip(results, known, strict=True):
            if abs(expected - score) > TOLERANCE:
                self._violation(event, f"{identity} {text!r} has {score:.6f}, and {expected:.6f} with {model}")

    def _check_completeness(self, event: Event, model: str, found: set[str], scores: list[float]) -> None:
        """No document is left out that was there all the time and is nearer than the last one found."""
        least = min(scores) if len(scores) >= event.asked["k"] else -math.inf
        there = {}
        for identity in self._documents:
            if identity not in found:
                possible = list(self._possible(event, identity).values())
                if len(possible) == 1 and possible[0] is not None:
                    there[identity] = possible[0]
        scores_there = self._oracle.scores(model, event.asked["query"], list(there.values()))
        for (identity, text), score in zip(there.items(), scores_there, strict=True):
            if score > least + TOLERANCE:
                self._violation(event, f"{identity} {text!r} is missing: {score:.6f} above {least}")

    def _check_reranked(self, event: Event) -> None:
        in_header, in_body = event.answered["rerankers"]
        if in_header != in_body:
            self._violation(event, f"the header says the reranker {in_header}, the body says {in_body}")
        self._check_relevances(event, in_body, [result[-1] for result in event.answered["results"]])

    def _check_relevances(self, event: Event, reranker: str, scores: list[float]) -> None:
        self._check_reranker(event, reranker)
        if reranker not in self._oracle.rerankers:
            return
        texts = texts_of(event)
        expected = self._oracle.relevances(reranker, [(event.asked["query"], text) for text in texts])
        for text, score, right in zip(texts, scores, expected, strict=True):
            if abs(score - right) > TOLERANCE:
                self._violation(event, f"{text!r} has the score {score:.6f}, and {right:.6f} with {reranker}")

    def _check_reranker(self, event: Event, reranker: str) -> None:
        """The reranker that answered may have been active, and is none before one that was seen."""
        possible = self._reranker.possible(event.start, event.end)
        places = [place for place, known in possible.items() if known.fits(reranker)]
        if not places:
            self._violation(event, f"the reranker {reranker} answers; it may be {list(possible.values())}")
            return
        self._reranker.states[places[0]].value = Activation(reranker)
        self._reranker.see(event.end, places[0])

    def _check_embedding(self, event: Event) -> None:
        model, number = event.answered["header"]
        if event.asked["model"] and model != event.asked["model"]:
            self._violation(event, f"{event.asked['model']} was asked for, {model} answered")
        if not event.asked["model"]:
            self._check_generation(event, model, number)
        self._name(event, model, number)
        if model in self._oracle.checkpoints:
            (expected,) = self._oracle.documents(model, [event.asked["text"]])
            vector = np.array(event.answered["vector"], dtype=np.float32)
            if vector.shape != expected.shape or float(np.abs(vector - expected).max()) > TOLERANCE:
                self._violation(event, f"the vector is not that of {model}")

    def _check_generation(self, event: Event, model: str, number: int) -> None:
        """The generation that answered may have been active, and is none before one that was seen."""
        self._name(event, model, number)
        possible = self._active.possible(event.start, event.end, event.replica)
        places = [place for place, known in possible.items() if known.fits(model, number)]
        if not places:
            self._violation(event, f"generation {number} of {model} answers; it may be {list(possible.values())}")
            return
        self._active.states[places[0]].value = Activation(model, number)
        self._active.see(event.end, places[0], event.replica)

    def _name(self, event: Event, model: str, number: int) -> None:
        if self._numbers.setdefault(number, model) != model:
            self._violation(event, f"generation {number} was of {self._numbers[number]} and is of {model}")


_RERANKED = ("reranked", "rerank")
_BY_ENCODER = ("search", "ask", "reranked", "embed")
# What was put together of several answers, or of files.
NOTES = ("list", "list-after-loss", "said", "derived", "events")
_AS_TEI = ("embed", "rerank")
EXPECTED: dict[str, Iterable[int]] = {
    "put": (429,),
    "bulk": (429,),
    "delete": (),
    "search": (429,),
    "reranked": (404, 429),
    "embed": (404, 429),
    "rerank": (404, 429),
    "reload": (409, 404),
    "reload-reranker": (409, 404),
    "rollback": (409, 422),
    "rollback-reranker": (409, 422),
    "cancel": (),
    "upload": (),
    "job": (),
    "page": (),
    "ask": (429,),
    "feedback": (404, 429),
    "forget": (404,),
    "say": (),
    "judgements": (),
    "health": (),
}


def reranker_of(event: Event) -> str:
    """The id of the reranker that an answer names."""
    reranker: str = event.answered["rerankers"][1] if event.kind == "reranked" else event.answered["reranker"]
    return reranker


def texts_of(event: Event) -> list[str]:
    """The texts that were scored, in the order of their scores."""
    if event.kind == "reranked":
        return [result[1] for result in event.answered["results"]]
    return list(event.asked["texts"])


def written(event: Event) -> dict[str, str | None]:
    """What a write makes of each document, in its order."""
    if event.kind == "delete":
        return dict.fromkeys(event.asked["ids"])
    return dict(event.asked["texts"])
